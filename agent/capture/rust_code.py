"""
What the code of rustls says about its structs, whose layout is the compiler's choice.

Two kinds of function stay functions in every build, because they are only ever called through tables: each cipher's
``MessageEncrypter::encrypt(result, cipher, message, number)``, and ``ExpectTraffic::handle(result, state, context, message)``, which gets what was
decrypted.  Everything that is sent and received passes them.  What has to be known besides, and is read here from the instructions:

- ``shape_of``: where a message to be encrypted has its type and its bytes;
- ``cipher_offset``: where a connection's state has the cipher that it encrypts with.  That brings both directions together;
- ``received_tag``: how a message says that it is application data.  ``handle`` is run on paper with each possible tag, to see which one makes it
  take the message's bytes into the connection.

Pure: code in, facts out, and in doubt nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import capstone
from capstone import x86

from agent.capture.elf import Function
from agent.capture.x86 import ARGUMENTS, WIDE, engine
from agent.capture.x86_paper import Paper, UnknownCodeError

MINIMUM = 1 << 63
"""No vector has this capacity, so Rust puts the kind of a message there where no vector is: this one, the next …"""
# They have three bits in the link's cookie; 3, 4 and 5 were seen.
_TAGS = 8
_KEPT = ("rbx", "rbp", "r12", "r13", "r14", "r15")
_SLOT_OF_FIRST_METHOD = 0x18  # behind drop, size and alignment
# Of a connection's state: some hundred bytes, the record layer at its front.
_MAX_OFFSET = 2048


class Shape(enum.Enum):
    """Of a message to be encrypted."""

    SLICE = 16
    """Address and length, then the type: rustls 0.20 to 0.22."""
    SLICES = 32
    """One slice or a part of several, then the type: rustls 0.23."""


# Where the words of a message's bytes are.  The type is a byte, and one more where it has no name.
_WORDS = {Shape.SLICE: {8}, Shape.SLICES: {16, 24}}


@dataclass(frozen=True, slots=True)
class _Place:
    """What an argument points to, ``offset`` bytes on; ``loaded``: the word that stands there."""

    argument: str
    offset: int
    loaded: bool = False


def shape_of(encrypters: Iterable[Function]) -> Shape | None:
    """The one shape that the code of all these functions agrees with."""
    reads = frozenset[tuple[int, int]]().union(*(_reads(function, "rdx") for function in encrypters))
    types = {offset for size, offset in reads if size == 1 and offset in range(16, 40)}
    fitting = [shape for shape in Shape if types == {shape.value, shape.value + 1}]
    return next((shape for shape in fitting if {(8, word) for word in _WORDS[shape]} <= reads), None)


def _reads(function: Function, argument: str) -> frozenset[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for instruction, values in _follow(function):
        if instruction.id == x86.X86_INS_LEA:
            continue
        for operand in instruction.operands:
            place = _place(instruction, operand, values)
            if place is not None and place.argument == argument:
                found.add((operand.size, place.offset))
    return frozenset(found)


def cipher_offset(senders: Iterable[Function], recorders: Iterable[Function]) -> int | None:
    """
    From the start of the connection's state to the pointer to its cipher, as all these functions have it.

    ``senders`` have the state as their first argument.  They call the cipher through its table, or one of ``recorders``, which have a part of the
    state as their second (their first is where their result goes).
    """
    found: set[int] = set()
    bases: dict[int, set[int]] = {}
    for sender in senders:
        found |= set(_ciphers(sender, "rdi"))
        for target, base in _handed_on(sender):
            bases.setdefault(target, set()).add(base)
    for recorder in recorders:
        ciphers = set(_ciphers(recorder, "rsi"))
        found |= {base + offset for base in bases.get(recorder.address, ()) for offset in ciphers}
    return found.pop() if len(found) == 1 and min(found) in range(0, _MAX_OFFSET, 8) else None


def _ciphers(function: Function, state: str) -> Iterator[int]:
    """``mov rsi, [state + n]; mov rax, [state + n + 8]; …; call [rax + 18h]``: n."""
    for instruction, values in _follow(function):
        if instruction.id != x86.X86_INS_CALL or instruction.operands[0].type != x86.X86_OP_MEM:
            continue
        table = instruction.operands[0].mem
        if table.disp != _SLOT_OF_FIRST_METHOD or table.index or not table.base:
            continue
        cipher, methods = values.get("rsi"), values.get(WIDE.get(instruction.reg_name(table.base), ""))
        if cipher is None or not cipher.loaded or cipher.argument != state:
            continue
        if methods == _Place(state, cipher.offset + 8, loaded=True):
            yield cipher.offset


def _handed_on(function: Function) -> Iterator[tuple[int, int]]:
    """What the function calls with a part of the state, and how far behind the state that stands."""
    for instruction, values in _follow(function):
        if instruction.id == x86.X86_INS_CALL and instruction.operands[0].type == x86.X86_OP_IMM:
            second = values.get("rsi")
            if second and not second.loaded and second.argument == "rdi":
                yield int(instruction.operands[0].imm), second.offset


def received_tag(handle: Function) -> int | None:
    """Which tag, counted from ``MINIMUM``, makes ``ExpectTraffic::handle`` take the bytes of the message."""
    taken = [tag for tag in range(_TAGS) if _takes(handle, tag)]
    return taken[0] if len(taken) == 1 else None


_STATE, _CONTEXT, _MESSAGE, _RESULT = 0x10_0000_0000_0000, 0x11_0000_0000_0000, 0x12_0000_0000_0000, 0x13_0000_0000_0000
_COMMON = 0x14_0000_0000_0000
_VECTOR = (0x15_0000_0000_0000, 0x16_0000_0000_0000, 0x17_0000_0000_0000)


def _takes(handle: Function, tag: int) -> bool:
    """Whether it looks up the connection, and the vector behind the tag is copied, while the message as a whole is not."""
    message = {_MESSAGE: MINIMUM + tag} | {_MESSAGE + 8 * at: word for at, word in enumerate(_VECTOR, 1)}
    paper = Paper({"rdi": _RESULT, "rsi": _STATE, "rdx": _CONTEXT, "rcx": _MESSAGE}, {_CONTEXT: _COMMON, **message})
    try:
        paper.run(handle.code, handle.address)
    except UnknownCodeError:
        return False
    copies = [at for at in paper.places_of(_VECTOR) if at != _MESSAGE + 8]
    whole = [at for at in copies if paper.word(at - 8) == MINIMUM + tag]
    handed_on = paper.registers.get("rsi") == _MESSAGE + 8
    looked = {at for at in paper.words_read if _CONTEXT <= at < _CONTEXT + 64}
    return looked == {_CONTEXT} and (handed_on or bool(copies)) and not whole


# ----------------------------------------------------------------------------------------- where the arguments are in a function


def _follow(function: Function) -> Iterator[tuple[capstone.CsInsn, Mapping[str, _Place]]]:
    """
    Its instructions, and what is known of the registers before each: what holds on every way there.

    Where only a table of jumps leads, that is registers that the function sets once, to an argument.
    """
    code = {one.address: one for one in engine().disasm(function.code, function.address)}
    before: dict[int, dict[str, _Place]] = {}
    ways = [(function.address, {register: _Place(register, 0) for register in ARGUMENTS})]
    # What is known at a place only ever becomes less, so this ends.
    while ways:
        at, values = ways.pop()
        while at in code:
            known = before.get(at)
            if known is not None:
                values = {register: value for register, value in values.items() if known.get(register) == value}
                if values == known:
                    break
            before[at] = values
            one = code[at]
            values = _after(one, values)
            if (target := _jump_target(one)) is not None:
                ways.append((target, values))
            if one.id in (x86.X86_INS_JMP, x86.X86_INS_RET, x86.X86_INS_UD2):
                break
            at += one.size
    kept = _set_once(code.values(), before)
    for at, one in code.items():
        yield one, before.get(at, kept)


def _after(instruction: capstone.CsInsn, values: Mapping[str, _Place]) -> dict[str, _Place]:
    written = _written(instruction)
    after = {register: value for register, value in values.items() if register not in written}
    if moved := _moved(instruction, values):
        after[moved[0]] = moved[1]
    return after


def _set_once(code: Iterable[capstone.CsInsn], before: Mapping[int, Mapping[str, _Place]]) -> dict[str, _Place]:
    """Registers that calls leave alone, and that hold an argument from their only setting to the function's end."""
    sets: dict[str, list[capstone.CsInsn]] = {register: [] for register in _KEPT}
    for one in code:
        if one.id != x86.X86_INS_POP:
            for register in _written(one) & sets.keys():
                sets[register].append(one)
    moves = [_moved(ones[0], before.get(ones[0].address, {})) for ones in sets.values() if len(ones) == 1]
    return {register: value for register, value in filter(None, moves) if not value.loaded}


def _written(instruction: capstone.CsInsn) -> frozenset[str]:
    if instruction.id == x86.X86_INS_CALL:
        return frozenset({"rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11"})
    return frozenset(WIDE.get(instruction.reg_name(one), "") for one in instruction.regs_access()[1])


def _jump_target(instruction: capstone.CsInsn) -> int | None:
    if instruction.group(capstone.CS_GRP_JUMP) and instruction.operands[0].type == x86.X86_OP_IMM:
        return int(instruction.operands[0].imm)
    return None


def _moved(instruction: capstone.CsInsn, values: Mapping[str, _Place]) -> tuple[str, _Place] | None:
    """The register that is set, and to what, where that is known."""
    operands = instruction.operands
    if instruction.id not in (x86.X86_INS_MOV, x86.X86_INS_LEA) or operands[0].type != x86.X86_OP_REG:
        return None
    if operands[0].size != 8:
        return None
    register, source = instruction.reg_name(operands[0].reg), operands[1]
    if source.type == x86.X86_OP_REG:
        value = values.get(instruction.reg_name(source.reg))
        return (register, value) if value else None
    place = _place(instruction, source, values)
    if place is None:
        return None
    return register, _Place(place.argument, place.offset, loaded=instruction.id == x86.X86_INS_MOV)


def _place(instruction: capstone.CsInsn, operand: x86.X86Op, values: Mapping[str, _Place]) -> _Place | None:
    """Where a memory operand points, if that is behind an argument."""
    if operand.type != x86.X86_OP_MEM:
        return None
    base = values.get(instruction.reg_name(operand.mem.base)) if operand.mem.base else None
    if base is None or base.loaded or operand.mem.index:
        return None
    return _Place(base.argument, base.offset + int(operand.mem.disp))
