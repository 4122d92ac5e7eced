"""
Go's table of functions: where each begins and ends, also in a program without symbols.

Go's runtime needs it to walk stacks, so every program carries it: "pclntab", one header and its parts (runtime/symtab.go's pcHeader, _func and
functab; debug/gosym/pclntab.go).  It is a tenant's, so it is hostile: it is read in windows through a function, each search is bounded, and
a name counts only where the table of names, the function's record and the sorted index agree.  Pure: bytes in, addresses out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

Read = Callable[[int, int], bytes]
"""(offset in the table, size) → bytes; fewer where it ends."""

HEADER_BYTES = 72
# Kubernetes' largest programs have 30 MB.
MAX_TABLE_BYTES = 128 * 1024**2
_WINDOW_BYTES = 1024**2
# The name of a function stands once in a table; its offset's four bytes can stand anywhere by chance: some tens in a real one.
_MAX_PLACES = 2000
# cockroach, with everything linked in, has some 300,000.
_MAX_FUNCTIONS = 4 * 1024**2

_HEADER = struct.Struct("<IHBB")  # magic, 0, instruction size quantum, pointer size
_GO_1_2, _GO_1_16, _GO_1_18, _GO_1_20 = 0xFFFFFFFB, 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1


class UnknownTableError(Exception):
    """Not a table of a version that we know, or nonsense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A function.  Its end is the next one's start, so padding may be in it."""

    start: int
    end: int


def header_tail(quantum: int) -> bytes:
    """What a header has behind its first byte, in every version: to look for one where no section says where it is."""
    return b"\xff\xff\xff\0\0" + bytes((quantum, 8))


class FunctionTable:
    """Go 1.16 and later, 64-bit little-endian."""

    def __init__(self, read: Read, size: int) -> None:
        header = read(0, HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            raise UnknownTableError("too short")
        magic, zero, _, pointer_bytes = _HEADER.unpack_from(header)
        words = struct.unpack_from("<8Q", header, _HEADER.size)
        if magic == _GO_1_2:
            raise UnknownTableError("of a Go before 1.16")
        if magic not in (_GO_1_16, _GO_1_18, _GO_1_20) or zero or pointer_bytes != 8:
            raise UnknownTableError("of a version that is not known")
        self.relative = magic != _GO_1_16
        """Addresses are relative to the start of Go's code; else absolute."""
        self.code_start = words[2] if self.relative else 0
        """What the header says of that; 0 where it says nothing (Go 1.26, or a position-independent program)."""
        parts = words[3:] if self.relative else words[2:]
        self._names, self._names_end, self._index = parts[0], parts[1], parts[4]
        self._count = words[0]
        self._size = min(size, MAX_TABLE_BYTES)
        if not (self._names < self._names_end <= self._index < self._size and 0 < self._count <= _MAX_FUNCTIONS):
            raise UnknownTableError("its parts are not where they can be")
        self._read = read
        # From 1.18 on the index and a record's first field hold 32-bit offsets, before pointers.
        self._pair = struct.Struct("<II" if self.relative else "<QQ")
        self._entry = struct.Struct("<I" if self.relative else "<Q")

    def find(self, names: Iterable[str]) -> Mapping[str, Span]:
        """Those of ``names`` that the table has."""
        offsets = {struct.pack("<I", at): name for name in names if (at := self._name_offset(name)) is not None}
        found: dict[str, Span] = {}
        for at, needle in self._search(offsets.keys(), self._index, self._size):
            span = self._function_of(at - self._entry.size - self._index)
            if span is not None:
                found.setdefault(offsets[needle], span)
                if len(found) == len(offsets):
                    break
        return found

    def has_package(self, path: str) -> bool:
        """Whether a method of that package is in the program."""
        return self._place_of_name(path + ".(*") is not None

    def _name_offset(self, name: str) -> int | None:
        return self._place_of_name(name + "\0")

    def _place_of_name(self, beginning: str) -> int | None:
        needle = b"\0" + beginning.encode()  # before the first name stands the end of another part
        place = next(self._search((needle,), self._names - 1, self._names_end), None)
        return None if place is None else place[0] + 1 - self._names

    def _function_of(self, record: int) -> Span | None:
        """The span of the function whose record is at ``record``, if the index has that record."""
        if record < 0 or record % 4:
            return None
        start = self._entry.unpack(self._bytes(self._index + record, self._entry.size))[0]
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._row(middle)[0] < start:
                low = middle + 1
            else:
                high = middle
        if low >= self._count or self._row(low) != (start, record):
            return None
        # The row behind the last one holds the end of all.
        end = self._entry.unpack(self._bytes(self._index + (low + 1) * self._pair.size, self._entry.size))[0]
        return Span(start=start, end=end) if end > start else None

    def _row(self, number: int) -> tuple[int, ...]:
        return self._pair.unpack(self._bytes(self._index + number * self._pair.size, self._pair.size))

    def _bytes(self, offset: int, size: int) -> bytes:
        data = self._read(offset, size)
        if len(data) < size:
            raise UnknownTableError("it ends before its parts do")
        return data

    def _search(self, needles: Iterable[bytes], start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Places of any of ``needles``, all of one length; not more than a real table has."""
        needles = tuple(needles)
        overlap = max(map(len, needles), default=1) - 1
        places = 0
        while start < end:
            window = self._read(start, min(_WINDOW_BYTES, end - start))
            for needle in needles:
                at = window.find(needle)
                while at >= 0:
                    yield start + at, needle
                    places += 1
                    if places >= _MAX_PLACES:
                        return
                    at = window.find(needle, at + 1)
            if len(window) <= overlap or start + len(window) >= end:
                return
            start += len(window) - overlap
