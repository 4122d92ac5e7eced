"""ELF look-ups: right on real files, one error on every other, bounded."""

from __future__ import annotations

import ctypes
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.capture.elf import MAX_FUNCTION_BYTES, MAX_NAME_BYTES, ElfError, ElfFile


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shared library with an exported and a hidden function."""
    folder = tmp_path_factory.mktemp("elf")
    source = folder / "a.c"
    source.write_text(
        "int SSL_read(int a) { return a + 1; }\nstatic __attribute__((noinline, used)) int SSL_hidden(int a) { return a; }\nint my_SSL_read(void) { return SSL_hidden(2); }\n"
    )
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", folder / "a.so", source], check=True)
    return folder / "a.so"


def test_exported_and_hidden_functions_are_found_with_their_code(library: Path) -> None:
    """.dynsym first, then .symtab; the bytes are those that run."""
    with library.open("rb") as file:
        elf = ElfFile(file)
        found = elf.functions(["SSL_read", "SSL_hidden", "SSL_absent"])
        assert set(found) == {"SSL_read", "SSL_hidden"}
        assert elf.machine == "x64" or os.uname().machine != "x86_64"
        read = found["SSL_read"]
        assert library.read_bytes()[read.file_offset : read.file_offset + len(read.code)] == read.code
    loaded = ctypes.CDLL(str(library))
    address = ctypes.cast(loaded.SSL_read, ctypes.c_void_p).value
    assert address is not None
    assert ctypes.string_at(address, len(read.code)) == read.code


def test_a_name_that_ends_like_another_is_not_it(library: Path) -> None:
    """my_SSL_read is not SSL_read, though linkers let them share their letters."""
    with library.open("rb") as file:
        found = ElfFile(file).functions(["SSL_read", "my_SSL_read"])
    assert found["SSL_read"].address != found["my_SSL_read"].address


def test_names_by_a_part_of_them(library: Path, tmp_path: Path) -> None:
    """Of the full table, hidden ones too; none without it."""
    with library.open("rb") as file:
        elf = ElfFile(file)
        # Linkers let my_SSL_read and SSL_read share their letters.
        assert {"SSL_hidden", "my_SSL_read"} <= set(elf.names_with("SSL_")) <= {"SSL_hidden", "my_SSL_read", "SSL_read"}
        assert elf.names_with("SSL_hid") == ["SSL_hidden"]
        assert elf.names_with("SSL_absent") == []
    bare = tmp_path / "bare.so"
    subprocess.run(["strip", "-s", "-o", bare, library], check=True)
    with bare.open("rb") as file:
        assert ElfFile(file).names_with("SSL_") == []


def test_code_at_an_address_is_bounded(library: Path) -> None:
    """And None outside of code."""
    with library.open("rb") as file:
        elf = ElfFile(file)
        start = elf.functions(["SSL_read"])["SSL_read"].address
        function = elf.function_at(start)
        assert function is not None
        assert len(function.code) <= MAX_FUNCTION_BYTES
        assert elf.function_at(1 << 60) is None


def test_a_large_program_is_quick() -> None:
    """The interpreter itself: tens of thousands of symbols, two tables looked at."""
    with open(os.path.realpath(sys.executable), "rb") as file:
        assert ElfFile(file).functions(["SSL_read"]) == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#!/bin/sh\n",
        b"\x7fELF",
        b"\x7fELF\x01\x01\x01" + bytes(60),
        b"MZ" + bytes(100),
    ],
)
def test_what_is_no_elf_file_is_one_error(content: bytes, tmp_path: Path) -> None:
    """32-bit, cut, scripts."""
    path = tmp_path / "f"
    path.write_bytes(content)
    with path.open("rb") as file, pytest.raises(ElfError):
        ElfFile(file).functions(["SSL_read"])


def test_a_truncated_library_is_one_error_or_nothing(library: Path, tmp_path: Path) -> None:
    """Cut at every 64th."""
    data = library.read_bytes()
    for part in range(64):
        path = tmp_path / "cut"
        path.write_bytes(data[: len(data) * part // 64])
        with path.open("rb") as file:
            try:
                ElfFile(file).functions(["SSL_read", "SSL_hidden"])
            except ElfError:
                pass


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=12))
def test_a_damaged_library_is_one_error_or_nothing(
    library: Path, tmp_path: Path, damage: list[tuple[int, int]]
) -> None:
    """Bytes of the headers changed at random."""
    data = bytearray(library.read_bytes())
    for at, value in damage:
        data[at if at < 1000 else len(data) - (at - 999)] = value
    path = tmp_path / "damaged"
    path.write_bytes(data)
    with path.open("rb") as file:
        try:
            ElfFile(file).functions(["SSL_read", "SSL_hidden"])
        except ElfError as error:
            assert "\n" not in str(error)


def test_a_file_without_descriptor_is_not_accepted_silently(library: Path) -> None:
    """Tables are read by position from the descriptor; a copy in memory has none."""
    with pytest.raises((ElfError, io.UnsupportedOperation)):
        ElfFile(io.BytesIO(library.read_bytes())).functions(["SSL_read"])


@pytest.mark.parametrize("packed", [False, True])
def test_tables_of_functions_are_as_the_loader_makes_them(tmp_path: Path, packed: bool) -> None:
    """Also where the relocations are packed and the values stand in the words; a null is none."""
    source = tmp_path / "table.c"
    source.write_text(
        "static int one(void) { return 1; }\nstatic int two(void) { return 2; }\n"
        "int (*const table[])(void) = {one, 0, two, one};\n"
    )
    path = tmp_path / "table.so"
    link = ["-Wl,-z,pack-relative-relocs"] if packed else []
    if subprocess.run(["cc", "-shared", "-fPIC", *link, "-o", path, source], check=False).returncode:
        pytest.skip("this linker packs no relocations")
    with path.open("rb") as file:
        words = ElfFile(file).pointers()
    library = ctypes.CDLL(str(path))
    table = ctypes.cast(library.table, ctypes.c_void_p).value
    with open("/proc/self/maps", encoding="utf-8") as maps:
        base = int(next(line for line in maps if str(path) in line).partition("-")[0], 16)
    assert table
    loaded = [ctypes.c_uint64.from_address(table + 8 * index).value for index in range(4)]
    assert [words.get(table - base + 8 * index, -base) + base for index in range(4)] == loaded


def test_a_table_of_pointers_is_bounded(tmp_path: Path) -> None:
    """A word costs a hundred times its size here."""
    source = tmp_path / "table.c"
    source.write_text("extern int one(void);\nint (*const table[200000])(void) = {[0 ... 199999] = one};\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "table.so", source], check=True)
    with (tmp_path / "table.so").open("rb") as file, pytest.raises(ElfError, match="pointers"):
        ElfFile(file).pointers()


def test_a_library_that_is_not_there_is_one_search(library: Path) -> None:
    """And names that begin alike are found as any others: those of a table, and none of what only begins as they do."""
    with library.open("rb") as file:
        elf = ElfFile(file)
        assert set(elf.functions(["SSL_read", "SSL_read_ex", "SSL_write"])) == {"SSL_read"}
        assert elf.functions(["gnutls_record_recv", "gnutls_record_send"]) == {}
        assert set(elf.functions(["SSL_hidden", "my_SSL_read"])) == {"SSL_hidden", "my_SSL_read"}


@pytest.mark.parametrize("around", [b"x", b"SSL_"])
def test_a_table_of_names_without_ends_costs_one_look(
    around: bytes, monkeypatch: pytest.MonkeyPatch, library: Path
) -> None:
    """No name, whatever stands in it a thousand times; and what is looked through is what names may have, not the table each time."""
    looked = 0

    class Table(bytes):
        def rfind(self, sub: bytes, start: int = 0, end: int = 0) -> int:  # type: ignore[override]
            nonlocal looked
            looked += end - start
            return bytes.rfind(self, sub, start, end)

    size = 4 * 1024**2
    table = Table((b"SSL_" + around * 1000) * (size // (4 + 1000 * len(around))))
    with library.open("rb") as file:
        elf = ElfFile(file)
        monkeypatch.setattr(elf, "_table", lambda section: table)
        assert elf.names_with("SSL_") == []
    assert 0 < looked <= 1000 * MAX_NAME_BYTES


def test_a_name_as_long_as_may_be(monkeypatch: pytest.MonkeyPatch, library: Path) -> None:
    """And not one letter more, wherever in it the part stands; the first of a table has nothing before it."""
    longest = MAX_NAME_BYTES - 1
    for name, found in ((b"SSL_".ljust(longest, b"x"), True), (b"SSL_".rjust(longest, b"x"), True)):
        for before in (b"", b"\0", b"other\0"):
            for more in (b"", b"y"):
                table = before + more + name + b"\0last\0"
                with library.open("rb") as file:
                    elf = ElfFile(file)
                    monkeypatch.setattr(elf, "_table", lambda section, table=table: table)
                    assert elf.names_with("SSL_") == ([(more + name).decode()] if found and not more else [])
