"""
Which instructions of Go's ``crypto/tls`` to probe, found in the code of its functions.

Two calls inside hold everything at once, so that no call has to be remembered until it returns, and nothing is asked of goroutines or stacks:

- ``(*Conn).Write`` → ``(*Conn).writeRecordLocked(connection, 23, data, length)``: behind the handshake and under the lock of that direction.
- ``(*Conn).Read`` → ``runtime.memmove(to, from, length)``: out of the decrypted record into the caller's buffer, again under the lock; the
  connection stands where the prologue put the receiver, because Go's stack frames have one size from their first instruction to their last.
  That is ``bytes.(*Reader).Read``, inlined.  Built without inlining, it is a call, and what is probed is the jump behind it, with the number as its
  result and the buffer beside the connection.

Registers: https://go.dev/s/regabi (cmd/compile/abi-internal.md).  Pure: bytes in, facts out, and in doubt nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import capstone
from capstone import arm64, x86

from agent.capture.elf import Function

_APPLICATION_DATA = 23  # RFC 8446, 5.1
# The longest look at the bound that was seen has 4 instructions.
_PROLOGUE_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A place where bytes go to the reader."""

    address: int
    connection_offset: int
    """Of the pointer to the connection, from the stack pointer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """What differs between processors."""

    architecture: int
    mode: int
    padding: bytes
    """Between functions."""
    arguments: tuple[tuple[str, ...], ...]
    """The first three registers of Go's calls, each with the names of its parts; the first one is also the result's."""
    call: str
    stack_check: str
    """The jump that opens a function: to where the stack is made larger."""
    before_check: tuple[str, ...]
    """What comes before that: the look at the goroutine's bound, g.stackguard0."""
    jump_bytes: tuple[int, ...]
    """Lengths of an unconditional jump."""

    @property
    def whole(self) -> tuple[str, ...]:
        return tuple(names[0] for names in self.arguments)


MACHINES = {
    "x64": _Machine(
        architecture=capstone.CS_ARCH_X86,
        mode=capstone.CS_MODE_64,
        padding=b"\xcc",
        arguments=tuple((f"r{a}x", f"e{a}x", f"{a}x", f"{a}l", f"{a}h") for a in "abc"),
        call="call",
        stack_check="jbe",
        before_check=("lea", "cmp"),
        jump_bytes=(5, 2),
    ),
    "AArch64": _Machine(
        architecture=capstone.CS_ARCH_ARM64,
        mode=capstone.CS_MODE_ARM,
        padding=b"\0",
        arguments=tuple((f"x{n}", f"w{n}") for n in range(3)),
        call="bl",
        stack_check="b.ls",
        before_check=("ldr", "mov", "sub", "cmp"),
        jump_bytes=(4,),
    ),
}
"""By the name that the ELF file has for them."""


def stack_check(function: Function, machine: str) -> int | None:
    """
    The address of the jump that every call passes first, with the arguments in their registers; None where the function does not begin as Go's do.

    Such a function ends with a jump back to its start, from where the stack was made larger.  So this also proves that a function begins
    and ends here, and that the registers are those of Go 1.17 or later.
    """
    isa = MACHINES[machine]
    code = function.code.rstrip(isa.padding)
    if not any(_jumps_back(function.address, code, size, machine) for size in isa.jump_bytes):
        return None
    for instruction in _engine(machine).disasm(code[:_PROLOGUE_BYTES], function.address):
        if instruction.mnemonic == isa.stack_check:
            return int(instruction.address)
        if instruction.mnemonic not in isa.before_check or _changes(instruction, isa.arguments):
            return None
    return None


def _jumps_back(start: int, code: bytes, size: int, machine: str) -> bool:
    last = list(_engine(machine).disasm(code[-size:], start + len(code) - size))
    return len(code) > size and len(last) == 1 and last[0].size == size and _target(last[0]) == start


def writes(write: Function, record: int, machine: str) -> list[int]:
    """Addresses of the calls of writeRecordLocked (``record``), each with the type of application data; empty where one is not understood."""
    isa = MACHINES[machine]
    instructions = list(_engine(machine).disasm(write.code, write.address))
    labels = {_target(one) for one in instructions if one.mnemonic != isa.call}
    found: list[int] = []
    typed = False
    for instruction in instructions:
        typed = typed and instruction.address not in labels
        if instruction.mnemonic == isa.call:
            if _target(instruction) == record:
                if not typed:
                    return []
                found.append(int(instruction.address))
            typed = False
        elif _changes(instruction, isa.arguments[1:2]):
            typed = _constant(instruction) == _APPLICATION_DATA
    return found


def reads(read: Function, memmove: int, machine: str) -> list[Read]:
    """The calls of memmove that fill the caller's buffer; empty where the connection can't be found there."""
    isa = MACHINES[machine]
    instructions = list(_engine(machine).disasm(read.code, read.address))
    slot = _receiver_slot(instructions, machine)
    if slot is None:
        return []
    labels = {_target(one) for one in instructions if one.mnemonic != isa.call}
    found: list[Read] = []
    to_buffer = False
    for instruction in instructions:
        to_buffer = to_buffer and instruction.address not in labels
        if instruction.mnemonic == isa.call:
            if to_buffer and _target(instruction) == memmove:
                found.append(Read(address=int(instruction.address), connection_offset=slot))
            to_buffer = False
        elif _changes(instruction, isa.arguments[:1]):
            to_buffer = dict(_loads(instruction)).get(isa.whole[0]) == slot + 8
    return found


def results(read: Function, inner: int, machine: str) -> list[Read]:
    """The jumps behind calls of ``bytes.(*Reader).Read`` with the caller's buffer, where the number of bytes is the result."""
    isa = MACHINES[machine]
    instructions = list(_engine(machine).disasm(read.code, read.address))
    slot = _receiver_slot(instructions, machine)
    if slot is None:
        return []
    labels = {_target(one) for one in instructions if one.mnemonic != isa.call}
    found: list[Read] = []
    from_buffer = behind = False
    for instruction in instructions:
        if instruction.address in labels:
            from_buffer = behind = False
        if instruction.mnemonic == isa.call:
            behind, from_buffer = from_buffer and _target(instruction) == inner, False
        elif instruction.group(capstone.CS_GRP_JUMP):
            if behind and _target(instruction) is not None:
                found.append(Read(address=int(instruction.address), connection_offset=slot))
            behind = False
        else:
            behind = behind and not _changes(instruction, isa.arguments[:1])
            if _changes(instruction, isa.arguments[1:2]):
                from_buffer = dict(_loads(instruction)).get(isa.whole[1]) == slot + 8
    return found


def _receiver_slot(instructions: list[capstone.CsInsn], machine: str) -> int | None:
    """
    Where the prologue puts the receiver, from the stack pointer: beside it the buffer's pointer and length, in the order of the arguments.

    None unless the three are put there before anything else happens, and the receiver's place is never written again.
    """
    isa = MACHINES[machine]
    stores: dict[str, int] = {}
    checked = False
    for instruction in instructions:
        if instruction.mnemonic == isa.stack_check and not checked:
            checked = True
            continue
        if instruction.group(capstone.CS_GRP_JUMP) or instruction.group(capstone.CS_GRP_CALL):
            break
        for register, offset in _stores(instruction, machine):
            if register in isa.whole:
                stores.setdefault(register, offset)
        if _changes(instruction, isa.arguments):
            break
    if len(stores) < len(isa.whole):
        return None
    slot, buffer, length = (stores[register] for register in isa.whole)
    again = [
        instruction
        for instruction in instructions
        for _, offset in _stores(instruction, machine)
        if offset <= slot < offset + 16  # the widest store
    ]
    return slot if (buffer, length) == (slot + 8, slot + 16) and len(again) == 1 else None


@cache
def _engine(machine: str) -> capstone.Cs:
    isa = MACHINES[machine]
    engine = capstone.Cs(isa.architecture, isa.mode)
    engine.detail = True
    return engine


def _target(instruction: capstone.CsInsn) -> int | None:
    """Of a jump or call to a fixed address."""
    if instruction.group(capstone.CS_GRP_JUMP) or instruction.group(capstone.CS_GRP_CALL):
        operand = instruction.operands[-1]
        if operand.type == capstone.CS_OP_IMM:
            return int(operand.imm)
    return None


def _changes(instruction: capstone.CsInsn, registers: tuple[tuple[str, ...], ...]) -> bool:
    """Whether it writes to any of ``registers``, or to a part of one."""
    if instruction.mnemonic in ("cmp", "cmn", "tst"):  # capstone 5 says that arm64's write what they compare
        return False
    written = {instruction.reg_name(register) for register in instruction.regs_access()[1]}
    return any(not written.isdisjoint(names) for names in registers)


def _constant(instruction: capstone.CsInsn) -> int | None:
    operands = instruction.operands
    if instruction.mnemonic in ("mov", "movz") and len(operands) == 2 and operands[1].type == capstone.CS_OP_IMM:
        return int(operands[1].imm)
    return None


def _stores(instruction: capstone.CsInsn, machine: str) -> Iterator[tuple[str, int]]:
    """(register, offset from the stack pointer) of a store of whole registers; "" for another that writes there."""
    operands = instruction.operands
    if machine == "x64":
        if len(operands) == 2 and operands[0].type == x86.X86_OP_MEM and operands[0].access & capstone.CS_AC_WRITE:
            place = operands[0].mem
            if instruction.reg_name(place.base) == "rsp" and not place.index:
                whole = operands[1].type == x86.X86_OP_REG and operands[1].size == 8
                yield instruction.reg_name(operands[1].reg) if whole else "", int(place.disp)
        return
    if instruction.mnemonic not in ("str", "stp", "strb", "strh", "stur") or instruction.writeback:
        return
    place = operands[-1]
    if place.type == arm64.ARM64_OP_MEM and instruction.reg_name(place.mem.base) == "sp" and not place.mem.index:
        for number, operand in enumerate(operands[:-1]):
            yield instruction.reg_name(operand.reg), int(place.mem.disp) + 8 * number


def _loads(instruction: capstone.CsInsn) -> Iterator[tuple[str, int]]:
    """(register, offset from the stack pointer) of a load of whole registers."""
    operands = instruction.operands
    if instruction.mnemonic not in ("mov", "ldr", "ldp") or len(operands) < 2:
        return
    place = operands[-1]
    if place.type != capstone.CS_OP_MEM or instruction.reg_name(place.mem.base) not in ("rsp", "sp"):
        return
    if not place.mem.index and operands[0].type == capstone.CS_OP_REG:
        for number, operand in enumerate(operands[:-1]):
            yield instruction.reg_name(operand.reg), int(place.mem.disp) + 8 * number
