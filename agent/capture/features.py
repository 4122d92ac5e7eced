"""
What a function of a stripped x86-64 program gives away: the data it names, the numbers it passes on, what it calls, what it changes.

None of it depends on which registers, instructions and offsets a compiler chose, so it is the same in builds that have not one
pattern of bytes in common.  Pure: bytes in, facts out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import capstone
from capstone import x86

# The functions we look for have some hundred instructions; a generated one of 10,000 is none of them.
_MAX_INSTRUCTIONS = 4000
# The registers of arguments 1 to 6, by every name that a move of a constant uses.
_ARGUMENTS = {
    name: number
    for number, names in enumerate(("rdi edi", "rsi esi", "rdx edx", "rcx ecx", "r8 r8d", "r9 r9d"), 1)
    for name in names.split()
}
_ENDS = (x86.X86_INS_JMP, x86.X86_INS_RET, x86.X86_INS_HLT, x86.X86_INS_UD2, x86.X86_INS_INT3)
_NEVER_WRITES = (x86.X86_INS_CMP, x86.X86_INS_TEST, x86.X86_INS_NOP, x86.X86_INS_PUSH, x86.X86_INS_CALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Of one function."""

    start: int
    end: int
    names: frozenset[int]
    """Addresses that it computes: of strings, of other data."""
    passes: Mapping[int, frozenset[int]]
    """Constants that it puts into the register of argument 1, 2 …"""
    calls: Mapping[int, frozenset[int]]
    """Functions that it calls or jumps to; and which arguments then are addresses of its own variables."""
    writes: bool
    """It changes memory that is not its own frame."""
    locks: bool
    """It has an atomic instruction: a reference counter."""


@cache
def _engine() -> capstone.Cs:
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.detail = True
    return engine


def features(code: bytes, start: int) -> Features:
    """Of the function that begins at ``start``, ``code`` being all that could belong to it."""
    names: set[int] = set()
    passes: dict[int, set[int]] = {}
    calls: dict[int, set[int]] = {}
    # Arguments that hold an address in the frame, on the straight line to the next call.
    pointers: set[int] = set()
    writes = locks = framed = False
    furthest, end = start, start + len(code)
    for count, instruction in enumerate(_engine().disasm(code, start)):
        after = instruction.address + instruction.size
        kind, operands = instruction.id, instruction.operands
        target = _target(instruction)
        if target is not None:
            inside = start <= target < start + len(code)
            if kind == x86.X86_INS_CALL or not inside:
                calls.setdefault(target, set()).update(pointers)
            else:
                furthest = max(furthest, target)
        elif kind == x86.X86_INS_LEA and instruction.reg_name(operands[1].mem.base) == "rip":
            names.add(after + int(operands[1].mem.disp))
        elif kind in (x86.X86_INS_MOV, x86.X86_INS_MOVABS) and operands[0].type == x86.X86_OP_REG:
            if operands[1].type == x86.X86_OP_IMM:
                value = int(operands[1].imm)
                # In a program with fixed addresses a constant may be one of data.
                names.add(value)
                number = _ARGUMENTS.get(instruction.reg_name(operands[0].reg))
                if number:
                    passes.setdefault(number, set()).add(value)
            elif instruction.op_str == "rbp, rsp":
                framed = True
        if kind == x86.X86_INS_CALL:
            pointers.clear()
        elif operands and operands[0].type == x86.X86_OP_REG and operands[0].access & capstone.CS_AC_WRITE:
            number = _ARGUMENTS.get(instruction.reg_name(operands[0].reg), 0)
            pointers.discard(number)
            if number and _is_frame_address(instruction, framed):
                pointers.add(number)
        locks = locks or instruction.prefix[0] == x86.X86_PREFIX_LOCK
        writes = writes or (kind not in _NEVER_WRITES and _writes(instruction, framed))
        if (kind in _ENDS and after > furthest) or count >= _MAX_INSTRUCTIONS:
            end = after
            break
    return Features(
        start=start,
        end=end,
        names=frozenset(names),
        passes={number: frozenset(values) for number, values in passes.items()},
        calls={target: frozenset(some) for target, some in calls.items()},
        writes=writes,
        locks=locks,
    )


def _target(instruction: capstone.CsInsn) -> int | None:
    """Of a direct call or jump."""
    if instruction.group(capstone.CS_GRP_JUMP) or instruction.group(capstone.CS_GRP_CALL):
        operand = instruction.operands[0]
        if operand.type == x86.X86_OP_IMM:
            return int(operand.imm)
    return None


def _is_frame_address(instruction: capstone.CsInsn, framed: bool) -> bool:
    """``lea rcx, [rsp + 8]``, ``mov rcx, rsp``."""
    source = instruction.operands[-1]
    if instruction.id == x86.X86_INS_LEA:
        base = instruction.reg_name(source.mem.base)
        return bool(base == "rsp" or (framed and base == "rbp"))
    return bool(instruction.id == x86.X86_INS_MOV) and str(instruction.op_str).endswith(", rsp")


def _writes(instruction: capstone.CsInsn, framed: bool) -> bool:
    for operand in instruction.operands:
        if operand.type == x86.X86_OP_MEM and operand.access & capstone.CS_AC_WRITE:
            base = instruction.reg_name(operand.mem.base)
            if base not in ("rsp", "rip") and not (framed and base == "rbp"):
                return True
    return False


# --------------------------------------------------------------------------------------------------- patterns of bytes


def expression(text: str) -> re.Pattern[bytes]:
    """What such a pattern matches."""
    pairs = [text[at : at + 2] for at in range(0, len(text), 2)]
    return re.compile(b"".join(b"." if one == ".." else re.escape(bytes.fromhex(one)) for one in pairs), re.DOTALL)


def pattern(code: bytes, start: int, limit: int) -> str:
    """
    The first ``limit`` bytes of a function as hexadecimal digits, ``..`` for what a linker or another layout of structs changes:
    targets, addresses, displacements and wide constants.
    """
    out: list[str] = []
    for instruction in _engine().disasm(code[:limit], start):
        raw = [f"{byte:02x}" for byte in instruction.bytes]
        encoding = instruction.encoding
        for at, size in ((encoding.disp_offset, encoding.disp_size), (encoding.imm_offset, encoding.imm_size)):
            if at and (size >= 4 or instruction.group(capstone.CS_GRP_JUMP)):
                raw[at : at + size] = [".."] * size
        out += raw
    return "".join(out)
