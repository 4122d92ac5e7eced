"""
Functions of an ELF file: where they are, and their bytes.

The file is a tenant's, so it is hostile: what is read is bounded in bytes, any nonsense is one ``ElfError``, and nothing of it is
executed.  Node's 95 MB take 0.1 s, because only two tables are looked at and only by name.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

# Chromium's 500,000 symbols are 12 MB; more than this is not a program we want.
_MAX_TABLE_BYTES = 64 * 1024**2
# The largest table of sections seen in a real file has some hundred.
_MAX_SECTIONS = 4096
# The functions we look at are shorter; a symbol without a size gets this much.
MAX_FUNCTION_BYTES = 4096
_SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym, https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.symtab.html
_FUNCTION_TYPES = (2, 10)  # STT_FUNC, STT_GNU_IFUNC

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
    """Not an ELF file that we can read.  The message names no content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function's code and where it is."""

    name: str
    address: int
    file_offset: int
    code: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    address: int
    file_offset: int
    size: int


class ElfFile:
    """An open 64-bit little-endian ELF file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        try:
            elf = ELFFile(file)
            if elf.elfclass != 64 or not elf.little_endian:
                raise ElfError("not a 64-bit little-endian ELF file")
            if elf.num_sections() > _MAX_SECTIONS or elf.num_segments() > _MAX_SECTIONS:
                raise ElfError("more sections than any real file has")
            self.machine = str(elf.get_machine_arch())
            self._code = [
                _Segment(address=segment["p_vaddr"], file_offset=segment["p_offset"], size=segment["p_filesz"])
                for segment in elf.iter_segments("PT_LOAD")
                if segment["p_flags"] & 1
            ]
            self._tables = [
                table for table in map(elf.get_section_by_name, (".dynsym", ".symtab")) if table is not None
            ]
            self._strings = [elf.get_section(table["sh_link"]) for table in self._tables]
        except ElfError:
            raise
        except _NONSENSE as error:
            raise ElfError(f"not a readable ELF file ({type(error).__name__})") from None

    def functions(self, names: Iterable[str]) -> Mapping[str, Function]:
        """Those of ``names`` that the file defines, by name; the exported table goes before the full one."""
        wanted = tuple(names)
        found: dict[str, Function] = {}
        try:
            for table, strings in zip(self._tables, self._strings, strict=True):
                missing = [name for name in wanted if name not in found]
                if missing:
                    found.update(self._look_up(table.header, strings.header, missing))
        except ElfError:
            raise
        except _NONSENSE as error:
            raise ElfError(f"a symbol table makes no sense ({type(error).__name__})") from None
        return found

    def _look_up(self, table: Mapping[str, int], strings: Mapping[str, int], names: list[str]) -> dict[str, Function]:
        text = self._read(strings["sh_offset"], strings["sh_size"])
        # A name can also be the tail of a longer one: linkers merge those.
        offsets = {offset: name for name in names for offset in _occurrences(text, name.encode() + b"\0")}
        found: dict[str, Function] = {}
        if not offsets:
            return found
        symbols = self._read(table["sh_offset"], table["sh_size"])
        for name_at, info, _, section, address, size in _SYMBOL.iter_unpack(symbols[: len(symbols) // 24 * 24]):
            if name_at in offsets and section and info & 15 in _FUNCTION_TYPES:
                name = offsets[name_at]
                function = self.function_at(address, name, size)
                if function is not None:
                    found.setdefault(name, function)
        return found

    def function_at(self, address: int, name: str = "", size: int = 0) -> Function | None:
        """The code at an address; without a ``size`` as much as a function may be long.  None outside the file's code."""
        for segment in self._code:
            into = address - segment.address
            if 0 <= into < segment.size:
                length = min(size or MAX_FUNCTION_BYTES, MAX_FUNCTION_BYTES, segment.size - into)
                at = segment.file_offset + into
                return Function(name=name, address=address, file_offset=at, code=self._read(at, length))
        return None

    def _read(self, offset: int, size: int) -> bytes:
        if size > _MAX_TABLE_BYTES:
            raise ElfError("a table is larger than any real file's")
        return os.pread(self._file.fileno(), size, offset)


def _occurrences(text: bytes, name: bytes) -> Iterable[int]:
    at = text.find(name)
    # A file that repeats one name for ever costs no more than this.
    for _ in range(1000):
        if at < 0:
            return
        yield at
        at = text.find(name, at + 1)
