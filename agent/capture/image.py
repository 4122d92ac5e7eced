"""
An ELF file searched without symbols: where a string is, who names it, where functions begin.

Everything is read in windows, so that a file of any size costs little memory.
"""

from __future__ import annotations

import bisect
import re
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence

from agent.capture.elf import ElfError, ElfFile, Segment
from agent.capture.features import Features, expression, features

# One call into the search holds the interpreter for a millisecond at this size, and for some hundred in a program made to cost time.
WINDOW_BYTES = 512 * 1024
# The longest string that is of interest: a path that a compiler saw.
MAX_STRING_BYTES = 1024
# Of a string that stands at more places, nobody can say which one is meant.
_MAX_PLACES = 64
# libssl's own file has 150; a program made to have millions gets no further.
_MAX_REFERENCES = 5000
# The functions we look for are shorter than this.
_MAX_FUNCTION_BYTES = 16 * 1024
# Envoy has 240,000; eight bytes each are held.
_MAX_FUNCTIONS = 2_000_000
# Bun has some thousand near its libssl.
_MAX_CALLED = 100_000
# lea r64, [rip + …]
_LEA = re.compile(rb"[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]", re.DOTALL)
_LETTERS = bytes(range(0x20, 0x7F))
_WORD = re.compile(rb"([A-Za-z_][A-Za-z0-9_]{3,80})\0")
_CALL = re.compile(rb"\xe8", re.DOTALL)
# What stands between functions: int3, nop, the end of the one before.
_PADDING = (0xCC, 0x90, 0xC3, 0x00)


class Image:
    """Searches of one file."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf
        self._starts: array[int] | None = None
        self._places: dict[bytes, set[int]] = {}
        self._strings: dict[bytes, dict[int, bytes]] = {}

    # ---------------------------------------------------------------------------------------------------------- strings

    def strings_with(self, part: bytes) -> dict[int, bytes]:
        """Strings that hold ``part``, by the address of their first letter; what stands before may be letters by chance, and look like theirs."""
        if part in self._strings:
            return self._strings[part]
        found = self._strings[part] = {}
        # Constants are in a segment of their own, or in front of the code in programs of older linkers.
        for segment in sorted(self._elf.loaded, key=lambda one: one.executable):
            for address, window in self._windows(segment, MAX_STRING_BYTES):
                for at in _places(window, part):
                    start = max(0, at - MAX_STRING_BYTES)
                    start += len(window[start:at].rstrip(_LETTERS))
                    end = window.find(b"\0", at, at + MAX_STRING_BYTES)
                    if end >= 0 and len(found) < _MAX_PLACES:
                        found[address + start] = window[start:end]
        return found

    def places_of(self, text: bytes) -> set[int]:
        """Where a string stands, also as the end of a longer one: linkers merge those."""
        if text in self._places:
            return self._places[text]
        found = self._places[text] = set()
        for segment in self._elf.loaded:
            for address, window in self._windows(segment, MAX_STRING_BYTES):
                found.update(address + at for at in _places(window, text + b"\0"))
        return found

    # ------------------------------------------------------------------------------------------------------- references

    def references(self, addresses: set[int]) -> list[int]:
        """Instructions that name one of these addresses, sorted."""
        found: set[int] = set()
        fixed = self._fixed(addresses) if self._elf.fixed else None
        for segment in self._elf.code:
            for start, window in self._windows(segment, 16):
                for match in _LEA.finditer(window, 0, max(0, len(window) - 7)):
                    at = match.start()
                    if start + at + 7 + int.from_bytes(window[at + 3 : at + 7], "little", signed=True) in addresses:
                        found.add(start + at)
                for match in fixed.finditer(window) if fixed else ():
                    if int.from_bytes(match[0][1:], "little") in addresses:
                        found.add(start + match.start())
                if len(found) > _MAX_REFERENCES:
                    raise ElfError("more references than any library has")
        return sorted(found)

    @staticmethod
    def _fixed(addresses: set[int]) -> re.Pattern[bytes] | None:
        """``mov r32, address``, but for the address's lowest byte: how a program with fixed addresses names its data."""
        words = {re.escape(struct.pack("<I", one)[1:]) for one in addresses if one < 1 << 32}
        return re.compile(rb"[\xb8-\xbf].(?:" + b"|".join(sorted(words)) + rb")", re.DOTALL) if words else None

    # -------------------------------------------------------------------------------------------------------- functions

    def functions_around(self, addresses: Iterable[int]) -> list[Features]:
        """The functions that hold these instructions."""
        wanted = sorted(addresses)
        starts = self._table() or self._called(wanted)
        found = {start for at in wanted if (start := _before(starts, at)) is not None}
        return [one for start in sorted(found) if (one := self.function(start)) is not None]

    def function(self, start: int) -> Features | None:
        """The one that begins here; None where no code is."""
        starts = self._table()
        following = bisect.bisect_right(starts, start)
        length = min(starts[following] - start if following < len(starts) else _MAX_FUNCTION_BYTES, _MAX_FUNCTION_BYTES)
        code = self._elf.bytes_at(start, length)
        return features(code, start) if code else None

    def _table(self) -> array[int]:
        """Where functions begin, by the table that unwinding uses; nearly every program has it.  Empty where this one has not."""
        if self._starts is None:
            self._starts = array("q", self._unwind_table())
        return self._starts

    def _unwind_table(self) -> Iterator[int]:
        # https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/ehframechpt.html
        segment = next((one for one in self._elf.segments if one.kind == "PT_GNU_EH_FRAME"), None)
        if segment is None:
            return
        head = self._elf.read(segment.file_offset, 12)
        # Version 1; a pointer of four bytes; a count of four bytes; pairs of four bytes each, relative to this table, in order.
        if len(head) < 12 or head[0] != 1 or head[1] & 15 != 0xB or head[2:4] != b"\x03\x3b":
            return
        count = min(int.from_bytes(head[8:12], "little"), _MAX_FUNCTIONS, max(0, segment.size - 12) // 8)
        pairs = array("i")
        data = self._elf.read(segment.file_offset + 12, count * 8)
        pairs.frombytes(data[: len(data) // 8 * 8])
        for offset in pairs[::2]:
            yield segment.address + offset

    def _called(self, near: list[int]) -> list[int]:
        """Without that table: what is called somewhere, is aligned, and follows padding."""
        pages = {page for at in near for page in range((at - _MAX_FUNCTION_BYTES) >> 12, (at >> 12) + 1)}
        targets: set[int] = set()
        for segment in self._elf.code:
            for start, window in self._windows(segment, 16):
                for match in _CALL.finditer(window, 0, max(0, len(window) - 5)):
                    at = match.end()
                    target = start + at + 4 + int.from_bytes(window[at : at + 4], "little", signed=True)
                    if target >> 12 in pages and not target & 15:
                        targets.add(target)
                if len(targets) > _MAX_CALLED:
                    raise ElfError("more functions near those looked for than any program has")
        return sorted(one for one in targets if (before := self._elf.bytes_at(one - 1, 1)) and before[0] in _PADDING)

    def word_at(self, address: int) -> str:
        """The string at an address, where it is a word as names in programs are; else ""."""
        for segment in self._elf.loaded:
            into = address - segment.address
            if 0 <= into < segment.size:
                text = self._elf.read(segment.file_offset + into, min(MAX_STRING_BYTES, segment.size - into))
                found = _WORD.match(text)
                return found[1].decode() if found else ""
        return ""

    def code_at(self, address: int, size: int) -> bytes:
        return self._elf.bytes_at(address, size)

    # ---------------------------------------------------------------------------------------------------------- patterns

    def matches(self, text: str) -> list[int]:
        """Functions whose first bytes match a pattern; not all where they are very many."""
        pattern, length = expression(text), len(text) // 2
        found: set[int] = set()
        starts = self._table()
        for segment in self._elf.code:
            for address, window in self._windows(segment, length):
                for match in pattern.finditer(window):
                    at = address + match.start()
                    if _before(starts, at) == at if starts else not at & 15:
                        found.add(at)
                    if len(found) >= _MAX_PLACES:
                        return sorted(found)
        return sorted(found)

    def in_time(self) -> None:
        """Asked by loops that read nothing."""
        self._elf.in_time()

    def _windows(self, segment: Segment, overlap: int) -> Iterator[tuple[int, bytes]]:
        """Address and bytes, each window beginning ``overlap`` before the end of the last one."""
        at = 0
        while at < segment.size:
            window = self._elf.read(segment.file_offset + at, min(WINDOW_BYTES, segment.size - at))
            yield segment.address + at, window
            if len(window) < WINDOW_BYTES:
                return
            at += WINDOW_BYTES - overlap


def _places(window: bytes, text: bytes) -> Iterator[int]:
    at = window.find(text)
    for _ in range(_MAX_PLACES):
        if at < 0:
            return
        yield at
        at = window.find(text, at + 1)


def _before(starts: Sequence[int], address: int) -> int | None:
    number = bisect.bisect_right(starts, address) - 1
    return starts[number] if number >= 0 and address - starts[number] < _MAX_FUNCTION_BYTES else None
