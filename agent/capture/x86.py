"""
A walk through the first instructions of an x86-64 function, keeping track of where its arguments are.

Pure: bytes in, facts out.  It stops at the first instruction that it does not understand, so what it says holds for every
call that reaches the instruction (System V ABI: arguments in rdi, rsi, rdx, rcx, r8; result in rax).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import capstone
from capstone import x86

ARGUMENTS = ("rdi", "rsi", "rdx", "rcx", "r8")
_BAD_PREFIXES = bytes.fromhex("26 2e 36 3e f0")  # es, cs, ds, ss, lock
_PREFIXES = _BAD_PREFIXES + bytes.fromhex("64 65 66 67 f2 f3")
# Prologues are short; the longest useful one seen has 15 instructions.
_MAX_INSTRUCTIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """The value that argument ``number`` (from 1) had at entry."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSlot:
    """The address of a place in this function's frame, relative to the stack pointer at entry."""

    offset: int


Value = Argument | StackSlot


@dataclass(slots=True)
class Step:
    """One instruction, and the state *before* it."""

    address: int
    mnemonic: str
    code: bytes
    emulated: bool
    stack: int
    """Stack pointer minus its value at entry."""
    values: dict[str, Value]
    target: int | None = None
    """Of a direct call or jump."""

    def holds(self, register: str, number: int) -> bool:
        """Whether a register still, or again, holds argument ``number``."""
        return self.values.get(register) == Argument(number=number)

    def arguments_intact(self, count: int) -> bool:
        return all(self.holds(register, number) for number, register in enumerate(ARGUMENTS[:count], 1))


@dataclass(slots=True)
class _State:
    stack: int = 0
    values: dict[str, Value] = field(
        default_factory=lambda: {register: Argument(number=number) for number, register in enumerate(ARGUMENTS, 1)}
    )


@cache
def engine() -> capstone.Cs:
    """Of x86-64, with operands."""
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.detail = True
    return engine


def is_emulated(code: bytes) -> bool:
    """
    Whether the kernel emulates this instruction under a uprobe instead of single-stepping it.

    As of 5.8 and later (arch/x86/kernel/uprobes.c, ``branch_setup_ops`` and ``push_setup_ops``): near call and jump, conditional
    jumps, plain nop, push of a register.
    """
    first = code[0]
    if first in (0xE8, 0xE9, 0xEB, 0x90) or 0x70 <= first <= 0x7F or 0x50 <= first <= 0x57:
        return True
    if first == 0x0F and len(code) > 1:
        return 0x80 <= code[1] <= 0x8F
    return 0x40 <= first <= 0x4F and len(code) == 2 and 0x50 <= code[1] <= 0x57


def can_be_probed(code: bytes) -> bool:
    """
    Whether the kernel takes a uprobe here: not on an instruction with a segment or lock prefix, which assemblers also pad with.

    Where it does not, it says so only to who attaches while a process maps the file; a later mapping goes without the probe, silently
    (arch/x86/kernel/uprobes.c, ``is_prefix_bad``).
    """
    prefixes = code[: len(code) - len(code.lstrip(_PREFIXES))]
    return not any(prefix in _BAD_PREFIXES for prefix in prefixes)


def walk(code: bytes, address: int, values: Mapping[str, Value] | None = None) -> Iterator[Step]:
    """
    The straight line from a function's first instruction: ends at a jump that is always taken, a return, or the unknown.

    ``values`` is what the registers hold at the start, where a caller's jump leads here.
    Conditional jumps are passed as not taken; who needs a fact for every call has to look at which ones were passed.
    """
    state = _State() if values is None else _State(values=dict(values))
    for count, instruction in enumerate(engine().disasm(code, address)):
        if count >= _MAX_INSTRUCTIONS:
            return
        step = Step(
            address=instruction.address,
            mnemonic=f"{instruction.mnemonic} {instruction.op_str}".strip(),
            code=bytes(instruction.bytes),
            emulated=is_emulated(bytes(instruction.bytes)),
            stack=state.stack,
            values=dict(state.values),
            target=_target(instruction),
        )
        yield step
        if instruction.id in (x86.X86_INS_JMP, x86.X86_INS_RET, x86.X86_INS_HLT, x86.X86_INS_UD2, x86.X86_INS_INT3):
            return
        if not _apply(instruction, state):
            return


def returns(code: bytes, address: int) -> list[int]:
    """Addresses of every return instruction.  Empty when the function can't be read to its end, or leaves by a jump elsewhere."""
    found, at = [], address
    end = address + len(code)
    for instruction in engine().disasm(code, address):
        at = instruction.address + instruction.size
        if instruction.id == x86.X86_INS_RET:
            found.append(instruction.address)
        elif instruction.id == x86.X86_INS_JMP:
            target = _target(instruction)
            if target is None or not address <= target < end:
                return []  # a tail call or a jump table: some returns would be missed
    return found if at == end else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """One instruction by which a function is left for good."""

    address: int
    mnemonic: str
    tail_jump: bool
    """A jump to another function, with the stack pointer as it was at entry; else a return."""
    emulated: bool


def exits(code: bytes, address: int) -> list[Exit]:
    """Every way out of a function.  Empty where one is not understood: an indirect jump, a stack pointer that is not followed."""
    found: dict[int, Exit] = {}
    stacks: dict[int, int] = {}
    paths = [(address, 0)]
    while paths:
        at, stack = paths.pop()
        state = _State(stack=stack)
        # Each instruction is passed once, so the code's own length bounds this.
        for instruction in engine().disasm(code[at - address :], at):
            if instruction.address in stacks:
                if stacks[instruction.address] != state.stack:
                    return []
                break
            stacks[instruction.address] = state.stack
            target, jumps = _target(instruction), instruction.group(capstone.CS_GRP_JUMP)
            leaves = jumps and not (target is not None and address <= target < address + len(code))
            if instruction.id == x86.X86_INS_RET or leaves:
                if state.stack or (leaves and (target is None or instruction.id != x86.X86_INS_JMP)):
                    return []
                found[instruction.address] = Exit(
                    address=instruction.address,
                    mnemonic=f"{instruction.mnemonic} {instruction.op_str}".strip(),
                    tail_jump=leaves,
                    emulated=is_emulated(bytes(instruction.bytes)),
                )
                break
            if jumps and target is not None:
                paths.append((target, state.stack))
            if instruction.id == x86.X86_INS_JMP:
                break
            if not _apply(instruction, state):
                return []
        else:
            return []  # runs into the next function, or into what is no code
    return [found[at] for at in sorted(found)]


def _target(instruction: capstone.CsInsn) -> int | None:
    if instruction.group(capstone.CS_GRP_JUMP) or instruction.group(capstone.CS_GRP_CALL):
        operand = instruction.operands[0]
        if operand.type == x86.X86_OP_IMM:
            return int(operand.imm)
    return None


WIDE = {
    narrow: wide
    for wide, narrows in {
        "rax": "eax ax al ah",
        "rbx": "ebx bx bl bh",
        "rcx": "ecx cx cl ch",
        "rdx": "edx dx dl dh",
        "rsi": "esi si sil",
        "rdi": "edi di dil",
        "rbp": "ebp bp bpl",
        "rsp": "esp sp spl",
        **{f"r{n}": f"r{n}d r{n}w r{n}b" for n in range(8, 16)},
    }.items()
    for narrow in (wide, *narrows.split())
}
"""The 64-bit register that a part belongs to."""


def _apply(instruction: capstone.CsInsn, state: _State) -> bool:
    """Change the state as the instruction does; False when it does something to the stack pointer that we don't follow."""
    kind, operands = instruction.id, instruction.operands
    if kind == x86.X86_INS_CALL:
        # The callee may change every caller-saved register; the stack is as before.
        for register in ("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11"):
            state.values.pop(register, None)
        return True
    if kind == x86.X86_INS_PUSH:
        state.stack -= 8
        return True
    if kind == x86.X86_INS_POP:
        state.stack += 8
        state.values.pop(WIDE.get(instruction.reg_name(operands[0].reg), ""), None)
        return True
    written = {WIDE.get(instruction.reg_name(register), "") for register in instruction.regs_access()[1]}
    if "rsp" in written:
        if kind in (x86.X86_INS_SUB, x86.X86_INS_ADD) and operands[1].type == x86.X86_OP_IMM:
            state.stack += int(operands[1].imm) if kind == x86.X86_INS_ADD else -int(operands[1].imm)
            return True
        return False
    moved = _moved_value(instruction, state)
    for register in written:
        state.values.pop(register, None)
    if moved is not None:
        state.values[WIDE[instruction.reg_name(operands[0].reg)]] = moved
    return True


def _moved_value(instruction: capstone.CsInsn, state: _State) -> Value | None:
    """What a move or lea puts into its destination register, where we know."""
    operands = instruction.operands
    if len(operands) != 2 or operands[0].type != x86.X86_OP_REG:
        return None
    if instruction.reg_name(operands[0].reg) not in WIDE:
        return None  # a control or segment register holds no argument
    source = operands[1]
    if instruction.id in (x86.X86_INS_MOV, x86.X86_INS_MOVSXD) and source.type == x86.X86_OP_REG:
        name = instruction.reg_name(source.reg)
        if name == "rsp":
            return StackSlot(offset=state.stack)
        # `movslq %edx, %rdx` widens an int argument and `mov` copies one whole; a narrower copy is another value.
        whole = WIDE.get(name) == name or instruction.id == x86.X86_INS_MOVSXD
        return state.values.get(WIDE.get(name, "")) if whole else None
    if instruction.id != x86.X86_INS_LEA or source.type != x86.X86_OP_MEM or source.mem.index:
        return None
    if instruction.reg_name(source.mem.base) != "rsp":
        return None
    return StackSlot(offset=state.stack + int(source.mem.disp))
