"""
The beginning of an x86-64 function, run on paper: which way it goes for given arguments, up to its first call.

Registers and memory hold numbers, as on the processor; what nobody has set is a number of its own that looks like a pointer, so whatever turns up
later can be told by its value.  Nothing of the file is executed.  At the first instruction that is not known here it gives up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import capstone
from capstone import x86

from agent.capture.x86 import WIDE, engine

_ALL = (1 << 64) - 1
_STACK = 0x7FFF_0000_0000
# The longest way to a first call that was seen has 45 instructions; a loop is none of ours.
_MAX_STEPS = 256


class UnknownCodeError(Exception):
    """An instruction, or a way, that is not followed here."""


class Paper:
    """One run."""

    def __init__(self, registers: Mapping[str, int], words: Mapping[int, int]) -> None:
        self.registers = {"rsp": _STACK, **registers}
        self.words_read: set[int] = set()
        """Addresses of the words that were looked at."""
        self._bytes: dict[int, int] = {}
        self._vectors: dict[str, int] = {}
        self._made = 0
        self._zero = self._sign = self._carry = self._overflow = False
        for at, word in words.items():
            self._write(at, word, 8)

    def run(self, code: bytes, address: int) -> None:
        """To the first call or return."""
        at = address
        for _ in range(_MAX_STEPS):
            instruction = next(engine().disasm(code[at - address : at - address + 15], at, 1), None)
            if instruction is None or not address <= at < address + len(code):
                break
            if instruction.id in (x86.X86_INS_CALL, x86.X86_INS_RET):
                return
            at = self._step(instruction)
        raise UnknownCodeError

    def places_of(self, words: tuple[int, ...]) -> list[int]:
        """Where these stand one behind the other."""
        wanted = b"".join(word.to_bytes(8, "little") for word in words)
        return [
            at for at in self._bytes if all(self._bytes.get(at + index) == byte for index, byte in enumerate(wanted))
        ]

    def word(self, at: int) -> int:
        return self._read(at, 8)

    # ------------------------------------------------------------------------------------------------- one instruction

    def _step(self, instruction: capstone.CsInsn) -> int:
        """Does it; the address of the next one."""
        name, operands, following = (
            instruction.mnemonic,
            instruction.operands,
            int(instruction.address + instruction.size),
        )
        if instruction.group(capstone.CS_GRP_JUMP):
            if operands[0].type != x86.X86_OP_IMM:
                raise UnknownCodeError
            return int(operands[0].imm) if name == "jmp" or self._holds(name[1:]) else following
        if name == "push":
            self.registers["rsp"] -= 8
            self._write(self.registers["rsp"], self._value(instruction, operands[0]), 8)
        elif name == "pop":
            self._put(instruction, operands[0], self._read(self.registers["rsp"], 8))
            self.registers["rsp"] += 8
        elif name in ("mov", "movabs", "movzx"):
            self._put(instruction, operands[0], self._value(instruction, operands[1]))
        elif name in ("movsx", "movsxd"):
            self._put(instruction, operands[0], _signed(self._value(instruction, operands[1]), operands[1].size))
        elif name == "lea":
            self._put(instruction, operands[0], self._address(instruction, operands[1]))
        elif name in _VECTOR_MOVES:
            self._move_vector(instruction)
        elif name.startswith("cmov"):
            # Also where it moves nothing, a 32-bit one clears the upper half.
            chosen = operands[1] if self._holds(name[4:]) else operands[0]
            self._put(instruction, operands[0], self._value(instruction, chosen))
        elif name.startswith("set"):
            self._put(instruction, operands[0], int(self._holds(name[3:])))
        elif name in _ARITHMETIC:
            self._calculate(instruction)
        elif name not in ("nop", "endbr64"):
            raise UnknownCodeError
        return following

    def _calculate(self, instruction: capstone.CsInsn) -> None:
        name, operands = instruction.mnemonic, instruction.operands
        bits = operands[0].size * 8
        mask, top = (1 << bits) - 1, 1 << (bits - 1)
        left = self._value(instruction, operands[0])
        right = self._value(instruction, operands[1]) & mask if len(operands) > 1 else 1
        whole = _ARITHMETIC[name](left, right)
        result = whole & mask
        if name == "btc":  # changes no other flag
            self._carry = bool(left >> (right % bits) & 1)
            self._put(instruction, operands[0], result)
            return
        if name not in ("inc", "dec"):  # they leave the carry
            self._carry = not 0 <= whole <= mask
        self._zero, self._sign = result == 0, bool(result & top)
        if name in ("add", "inc"):
            self._overflow = bool((left ^ result) & (right ^ result) & top)
        elif name in ("sub", "cmp", "dec"):
            self._overflow = bool((left ^ right) & (left ^ result) & top)
        else:
            self._overflow = False
        if name not in ("cmp", "test"):
            self._put(instruction, operands[0], result)

    def _holds(self, condition: str) -> bool:
        less = self._sign != self._overflow
        conditions = {
            "e": self._zero,
            "b": self._carry,
            "be": self._carry or self._zero,
            "s": self._sign,
            "o": self._overflow,
            "l": less,
            "le": less or self._zero,
        }
        opposite = {"ne": "e", "ae": "b", "a": "be", "ns": "s", "no": "o", "ge": "l", "g": "le"}
        if condition in conditions:
            return conditions[condition]
        if condition in opposite:
            return not conditions[opposite[condition]]
        raise UnknownCodeError

    # --------------------------------------------------------------------------------------------- registers and memory

    def _value(self, instruction: capstone.CsInsn, operand: x86.X86Op) -> int:
        mask = (1 << int(operand.size) * 8) - 1
        if operand.type == x86.X86_OP_IMM:
            return int(operand.imm) & _ALL
        if operand.type == x86.X86_OP_REG:
            return self._register(instruction.reg_name(operand.reg)) & mask
        return self._read(self._address(instruction, operand), operand.size)

    def _put(self, instruction: capstone.CsInsn, operand: x86.X86Op, value: int) -> None:
        mask = (1 << operand.size * 8) - 1
        if operand.type == x86.X86_OP_MEM:
            self._write(self._address(instruction, operand), value & mask, operand.size)
            return
        name = instruction.reg_name(operand.reg)
        before = 0 if operand.size >= 4 else self._register(name) & ~mask & _ALL
        self.registers[_whole(name)] = before | (value & mask)

    def _register(self, name: str) -> int:
        whole = _whole(name)
        if whole not in self.registers:
            self.registers[whole] = self._new()
        return self.registers[whole]

    def _address(self, instruction: capstone.CsInsn, operand: x86.X86Op) -> int:
        place = operand.mem
        if place.segment:
            raise UnknownCodeError
        address = int(place.disp)
        if place.base == x86.X86_REG_RIP:
            address += instruction.address + instruction.size
        elif place.base:
            address += self._register(instruction.reg_name(place.base))
        if place.index:
            address += self._register(instruction.reg_name(place.index)) * int(place.scale)
        return int(address & _ALL)

    def _read(self, at: int, size: int) -> int:
        for byte in range(at, at + size):
            word = byte & ~7
            self.words_read.add(word)
            if byte not in self._bytes:
                for index, made in enumerate(self._new().to_bytes(8, "little")):
                    self._bytes.setdefault(word + index, made)
        return int.from_bytes(bytes(self._bytes[at + index] for index in range(size)), "little")

    def _write(self, at: int, value: int, size: int) -> None:
        for index, byte in enumerate(value.to_bytes(size, "little")):
            self._bytes[at + index] = byte

    def _move_vector(self, instruction: capstone.CsInsn) -> None:
        target, source = instruction.operands
        if source.type == x86.X86_OP_MEM:
            value = self._read(self._address(instruction, source), 16)
        else:
            value = self._vectors.get(instruction.reg_name(source.reg), 0)
        if target.type == x86.X86_OP_MEM:
            self._write(self._address(instruction, target), value, 16)
        else:
            self._vectors[instruction.reg_name(target.reg)] = value

    def _new(self) -> int:
        """Like no other number here, and far from each: a pointer and what is beside it stay its own."""
        self._made += 1
        return self._made << 32


_VECTOR_MOVES = ("movups", "movaps", "movdqu", "movdqa", "movupd", "movapd")
_ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "add": lambda left, right: left + right,
    "inc": lambda left, right: left + right,
    "sub": lambda left, right: left - right,
    "dec": lambda left, right: left - right,
    "cmp": lambda left, right: left - right,
    "xor": lambda left, right: left ^ right,
    "or": lambda left, right: left | right,
    "and": lambda left, right: left & right,
    "test": lambda left, right: left & right,
    "btc": lambda left, right: left ^ (1 << (right & 63)),
}


def _signed(value: int, size: int) -> int:
    top = 1 << (size * 8 - 1)
    return ((value ^ top) - top) & _ALL


def _whole(name: str) -> str:
    if name in ("ah", "bh", "ch", "dh") or name not in WIDE:
        raise UnknownCodeError
    return WIDE[name]
