"""
Functions of an ELF file: where they are, and their bytes.

The file is a tenant's, so it is hostile: what is read is bounded in bytes and in time, any nonsense is one ``ElfError``, and nothing of it is
executed.  pyelftools reads the headers, some milliseconds a file; the rows of a symbol table, of which a browser has half a million, are
walked here, only for the names that are asked for.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from elftools.common.exceptions import ELFError
from elftools.common.utils import struct_parse
from elftools.construct import Construct
from elftools.elf.elffile import ELFFile

# Of a processor, for everything that is asked of a file.  Chromium, the dearest seen, takes one or two, Bun one, all others less; one that is made to
# cost time would take hours.
MAX_SECONDS = 4.0
# Rows of a table of symbols between two looks at the clock: some ten milliseconds.
_STEP_SYMBOLS = 64 * 1024
# Chromium's 500,000 symbols are 12 MB; more than this is not a program we want.
_MAX_TABLE_BYTES = 64 * 1024**2
# Of those only so much is kept for the next question.
_MAX_HELD_BYTES = 32 * 1024**2
# The largest table of sections seen in a real file has some hundred.
_MAX_SECTIONS = 1024
# NSS's library has 1,618, all of Firefox's NSS in one some ten thousand; each costs us a hundred bytes.
_MAX_POINTERS = 128 * 1024
# Of a function's name: shorter ones are in every table.
_TELLING_PREFIX = 4
# The functions we look at are shorter; a symbol without a size gets this much.
MAX_FUNCTION_BYTES = 4096
# Rust's are the longest, some hundred characters.
MAX_NAME_BYTES = 4096
_SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym, https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.symtab.html
_RELOCATION = struct.Struct("<QQq")  # Elf64_Rela
_RELATIVE = {"x64": 8, "AArch64": 1027}  # R_X86_64_RELATIVE, R_AARCH64_RELATIVE, with no symbol
_FUNCTION_TYPES = (2, 10)  # STT_FUNC, STT_GNU_IFUNC
_NT_GNU_BUILD_ID = 3
# The notes of a program are some hundred bytes.
_MAX_NOTES_BYTES = 4096


# What pyelftools raises on broken input besides its own error.
_NONSENSE = (
    ELFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    struct.error,
    MemoryError,
    OSError,  # a seek to where no file goes
)


class ElfError(Exception):
    """An ELF file that we can't read.  The message names no content."""


class TooDearError(ElfError):
    """Reading it takes longer than any real file: it is given up."""


class OtherFormatError(ElfError):
    """Not a 64-bit little-endian ELF file: a script, data, .NET's or a 32-bit program's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function's code and where it is."""

    name: str
    address: int
    file_offset: int
    code: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the file that is mapped when it runs, or that says something about it."""

    kind: str
    """As the specification names it: PT_LOAD."""
    executable: bool
    writable: bool
    address: int
    file_offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    kind: str
    name_at: int
    """In the table of section names."""
    file_offset: int
    size: int
    link: int


class ElfFile:
    """An open 64-bit little-endian ELF file."""

    def __init__(self, file: BinaryIO, seconds: float = MAX_SECONDS) -> None:
        self._descriptor = file.fileno()
        self._seconds = seconds
        self.begin()
        self._tables: dict[tuple[int, int], bytes] = {}
        self.separate: ElfFile | None = None
        """The file with this one's symbols, where they were taken out."""
        if self.read(0, 6) != b"\x7fELF\x02\x01":
            raise OtherFormatError("not a 64-bit little-endian ELF file")
        try:
            elf = ELFFile(file)
            if elf.num_sections() > _MAX_SECTIONS or elf.num_segments() > _MAX_SECTIONS:
                raise ElfError("more sections than any real file has")
            self.machine = str(elf.get_machine_arch())
            self.fixed = elf["e_type"] == "ET_EXEC"
            """It runs at the addresses that it was linked for."""
            self.segments = [
                _segment(header) for header in _headers(elf, elf.structs.Elf_Phdr, "ph", elf.num_segments())
            ]
            self._sections = [
                _section(header) for header in _headers(elf, elf.structs.Elf_Shdr, "sh", elf.num_sections())
            ]
            self._names = elf.get_shstrndx()
        except ElfError:
            raise
        except _NONSENSE as error:
            raise ElfError(f"not a readable ELF file ({type(error).__name__})") from None

    # -------------------------------------------------------------------------------------------------------- functions

    def functions(self, names: Iterable[str]) -> Mapping[str, Function]:
        """Those of ``names`` that the file defines, by name; the exported table goes before the full one, and that before a separate one."""
        wanted = tuple(names)
        found = self._places(wanted)
        if self.separate is not None:
            missing = [name for name in wanted if name not in found]
            found |= self.separate._places(missing)
        functions = {name: self.function_at(address, name, size) for name, (address, size) in found.items()}
        return {name: function for name, function in functions.items() if function is not None}

    def names_with(self, part: str) -> list[str]:
        """Names of the full symbol table, or of the separate one, that contain ``part``."""
        table = next((section for section in self._sections if section.kind == "SHT_SYMTAB"), None)
        if table is None or table.link >= len(self._sections):
            return self.separate.names_with(part) if self.separate is not None else []
        text = self._table(self._sections[table.link])
        found: set[str] = set()
        for at in _occurrences(text, part.encode()):
            # No further than a name may go: a table without an end between its names would be gone through a thousand times.
            first = max(0, at - MAX_NAME_BYTES)
            start, end = text.rfind(b"\0", first, at), text.find(b"\0", at, at + MAX_NAME_BYTES)
            if end >= 0 and (start >= 0 or not first) and end - start <= MAX_NAME_BYTES:
                found.add(text[start + 1 : end].decode(errors="replace"))
        return sorted(found)

    @property
    def has_symbols(self) -> bool:
        """Of functions that are not exported as well."""
        return any(section.kind == "SHT_SYMTAB" for section in self._sections)

    def _places(self, wanted: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Address and size by name."""
        found: dict[str, tuple[int, int]] = {}
        for kind in ("SHT_DYNSYM", "SHT_SYMTAB"):
            missing = [name for name in wanted if name not in found]
            table = next((section for section in self._sections if section.kind == kind), None)
            if table is None or not missing:
                continue
            if table.link >= len(self._sections):
                raise ElfError("a symbol table without its strings")
            found.update(self._look_up(table, self._sections[table.link], missing))
        return found

    def _look_up(self, table: _Section, strings: _Section, names: list[str]) -> dict[str, tuple[int, int]]:
        text = self._table(strings)
        # Most files have nothing of most libraries: of twenty names that begin alike that is one search of the table and not twenty.
        alike = _common_start(names)
        if len(alike) >= _TELLING_PREFIX and alike.encode() not in text:
            return {}
        # A name can also be the tail of a longer one: linkers merge those.
        offsets: dict[int, str] = {}
        for name in names:
            self.in_time()
            offsets |= dict.fromkeys(_occurrences(text, name.encode() + b"\0"), name)
        found: dict[str, tuple[int, int]] = {}
        if not offsets:
            return found
        symbols = memoryview(self._table(table))
        step, end = _STEP_SYMBOLS * _SYMBOL.size, len(symbols) // _SYMBOL.size * _SYMBOL.size
        for first in range(0, end, step):
            self.in_time()
            rows = _SYMBOL.iter_unpack(symbols[first : min(first + step, end)])
            for name_at, info, _, section, address, size in rows:
                if name_at in offsets and section and info & 15 in _FUNCTION_TYPES:
                    found.setdefault(offsets[name_at], (address, size))
        return found

    def function_at(self, address: int, name: str = "", size: int = 0) -> Function | None:
        """The code at an address; without a ``size`` as much as a function may be long.  None outside the file's code."""
        for segment in self.code:
            into = address - segment.address
            if 0 <= into < segment.size:
                length = min(size or MAX_FUNCTION_BYTES, MAX_FUNCTION_BYTES, segment.size - into)
                at = segment.file_offset + into
                return Function(name=name, address=address, file_offset=at, code=self.read(at, length))
        return None

    def bytes_at(self, address: int, size: int) -> bytes:
        """Code at an address, fewer bytes where it ends; empty outside."""
        for segment in self.code:
            into = address - segment.address
            if 0 <= into < segment.size:
                return self.read(segment.file_offset + into, min(size, segment.size - into))
        return b""

    def pointers(self) -> Mapping[int, int]:
        """
        Words of the constant data by their address, as they are once the file is loaded at 0: the tables of functions that a library fills in at its start.

        Their values are in the relocations; where those are packed (RELR), in the words themselves.
        """
        found: dict[int, int] = {}
        for segment in self.segments:
            if segment.kind == "PT_GNU_RELRO":
                words = self._records(segment.file_offset, segment.size, struct.Struct("<Q"), found)
                found |= {segment.address + 8 * index: value for index, (value,) in enumerate(words) if value}
        for section in self._sections:
            if section.kind == "SHT_RELA":
                rows = self._records(section.file_offset, section.size, _RELOCATION, found)
                relative = _RELATIVE.get(self.machine)
                found |= {address: addend for address, info, addend in rows if info == relative}
        return found

    def _records(
        self, offset: int, size: int, layout: struct.Struct, before: Mapping[int, int]
    ) -> Iterable[tuple[int, ...]]:
        if size // layout.size + len(before) > _MAX_POINTERS:
            raise ElfError("more pointers than any real file has")
        table = self.read(offset, size)
        return layout.iter_unpack(table[: len(table) // layout.size * layout.size])

    # ----------------------------------------------------------------------------------------------- its debug file

    def build_id(self) -> str:
        """What the linker called this build, in hexadecimal digits; "" where it did not."""
        for segment in self.segments:
            if segment.kind != "PT_NOTE":
                continue
            notes = self.read(segment.file_offset, min(segment.size, _MAX_NOTES_BYTES))
            while len(notes) >= 12:
                name, size, kind = struct.unpack_from("<III", notes)
                start = 12 + (name + 3) // 4 * 4
                if kind == _NT_GNU_BUILD_ID and notes[12:16] == b"GNU\0":
                    return notes[start : start + min(size, 64)].hex()
                notes = notes[start + (size + 3) // 4 * 4 :]
        return ""

    def debug_link(self) -> str:
        """The name of the file with its symbols, as ``.gnu_debuglink`` has it; "" without."""
        section = self._section(".gnu_debuglink")
        if section is None:
            return ""
        name = self.read(section.file_offset, min(section.size, 256)).partition(b"\0")[0].decode(errors="replace")
        return "" if "/" in name else name

    # ------------------------------------------------------------------------------------------------------------ bytes

    def has_section(self, name: str) -> bool:
        return self._section(name) is not None

    def _section(self, name: str) -> _Section | None:
        if self._names >= len(self._sections):
            return None
        names, wanted = self._table(self._sections[self._names]), name.encode() + b"\0"
        return next((one for one in self._sections if names.startswith(wanted, one.name_at)), None)

    @property
    def loaded(self) -> list[Segment]:
        """What is mapped when it runs."""
        return [segment for segment in self.segments if segment.kind == "PT_LOAD"]

    @property
    def code(self) -> list[Segment]:
        return [segment for segment in self.loaded if segment.executable]

    def begin(self) -> None:
        """Its time begins anew, for who reads it a little now and then."""
        self._until = time.thread_time() + self._seconds

    def in_time(self) -> None:
        """Asked by whatever reads, and by loops that read nothing."""
        if time.thread_time() > self._until:
            raise TooDearError("reading it takes longer than any real file")

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the file; fewer where it ends."""
        self.in_time()
        if size > _MAX_TABLE_BYTES:
            raise ElfError("a table is larger than any real file's")
        try:
            return os.pread(self._descriptor, size, offset)
        except (OSError, OverflowError):
            raise ElfError("a place where no file goes") from None

    def _table(self, section: _Section) -> bytes:
        """Several stacks ask for the same tables, one after the other."""
        key = (section.file_offset, section.size)
        table = self._tables.get(key)
        if table is None:
            table = self.read(*key)
            if len(table) + sum(map(len, self._tables.values())) <= _MAX_HELD_BYTES:
                self._tables[key] = table
        return table


def _headers(elf: ELFFile, layout: Construct, table: str, count: int) -> Iterator[Mapping[str, Any]]:
    """The rows of a table of headers, without what pyelftools makes of each (it would also read their contents)."""
    first, size = elf[f"e_{table}off"], elf[f"e_{table}entsize"]
    for index in range(count):
        yield struct_parse(layout, elf.stream, stream_pos=first + index * size)


def _segment(header: Mapping[str, Any]) -> Segment:
    return Segment(
        kind=str(header["p_type"]),
        executable=bool(header["p_flags"] & 1),
        writable=bool(header["p_flags"] & 2),
        address=header["p_vaddr"],
        file_offset=header["p_offset"],
        size=header["p_filesz"],
    )


def _section(header: Mapping[str, Any]) -> _Section:
    return _Section(
        kind=str(header["sh_type"]),
        name_at=header["sh_name"],
        file_offset=header["sh_offset"],
        size=header["sh_size"],
        link=header["sh_link"],
    )


def _common_start(names: Sequence[str]) -> str:
    """What all of them begin with."""
    first, last = min(names), max(names)
    length = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[:length]


def _occurrences(text: bytes, name: bytes) -> Iterable[int]:
    at = text.find(name)
    # A file that repeats one name for ever costs no more than this.
    for _ in range(1000):
        if at < 0:
            return
        yield at
        at = text.find(name, at + 1)
