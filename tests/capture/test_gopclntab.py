"""Go's table of functions: the same answer as Go's own tool, in every layout; nonsense is one error and costs little."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.capture.elf import ElfFile
from agent.capture.gopclntab import (
    HEADER_BYTES,
    MAX_TABLE_BYTES,
    FunctionTable,
    Read,
    Span,
    UnknownTableError,
    header_tail,
)
from tests import golang

FUNCTIONS = [("a.b", 0x0, 0x40), ("crypto/tls.(*Conn).Read", 0x40, 0x300), ("crypto/tls.(*Conn).Write", 0x300, 0x340)]
MAGICS = {"1.16": 0xFFFFFFFA, "1.18": 0xFFFFFFF0, "1.20": 0xFFFFFFF1}


def table(
    functions: Sequence[tuple[str, int, int]] = FUNCTIONS, *, layout: str = "1.20", start: int = 0x401000
) -> bytes:
    """As Go's linker writes it (cmd/link's pcln.go), with the parts in between left empty."""
    relative = layout != "1.16"
    base = 0 if relative else start
    names, offsets = b"", []
    for name, _, _ in functions:
        offsets.append(len(names))
        names += name.encode() + b"\0"
    names += b"\0" * (-len(names) % 8)
    pair, entry = ("<II", "<I") if relative else ("<QQ", "<Q")
    records_at = len(functions) * struct.calcsize(pair) + struct.calcsize(entry)
    records_at += -records_at % 8
    index, records = b"", b""
    for (_, first, _), name_at in zip(functions, offsets, strict=True):
        index += struct.pack(pair, base + first, records_at + len(records))
        records += struct.pack(entry, base + first) + struct.pack("<i", name_at) + b"\xee" * 28
        records += b"\0" * (-len(records) % 8)
    index += struct.pack(entry, base + functions[-1][2])
    index += b"\0" * (records_at - len(index))
    names_at = HEADER_BYTES
    index_at = names_at + len(names)
    parts = (names_at, index_at, index_at, index_at, index_at)
    words = (len(functions), 1, start, *parts) if relative else (len(functions), 1, *parts, 0)
    return struct.pack("<IHBB8Q", MAGICS[layout], 0, 1, 8, *words) + names + index + records


def reader(data: bytes) -> Read:
    return lambda offset, size: data[max(offset, 0) : max(offset, 0) + size] if size > 0 else b""


def find(data: bytes, *names: str) -> dict[str, Span]:
    return dict(FunctionTable(reader(data), len(data)).find(names))


@pytest.mark.parametrize("layout", MAGICS)
def test_functions_are_found_in_every_layout(layout: str) -> None:
    """Relative to the start of the code from 1.18 on, absolute before; a name that only begins like one is not it."""
    base = 0x401000 if layout == "1.16" else 0
    data = table([*FUNCTIONS, ("crypto/tls.(*Conn).ReadFrom", 0x340, 0x400)], layout=layout)
    found = find(data, "crypto/tls.(*Conn).Read", "a.b", "b", "absent")
    assert found == {
        "a.b": Span(start=base, end=base + 0x40),
        "crypto/tls.(*Conn).Read": Span(start=base + 0x40, end=base + 0x300),
    }
    read = FunctionTable(reader(data), len(data))
    assert (read.relative, read.code_start) == ((False, 0) if base else (True, 0x401000))


def test_packages_are_known_by_their_methods() -> None:
    """Not by a path that goes on."""
    data = table([("github.com/x/quic.(*Conn).Read", 0, 1), ("github.com/x/quicker.(*A).b", 1, 2)])
    read = FunctionTable(reader(data), len(data))
    assert read.has_package("github.com/x/quic")
    assert not read.has_package("github.com/x/qui")


def test_old_tables_are_told_by_what_they_are() -> None:
    """Before 1.16 names stood elsewhere; what comes after 1.26 may be anything."""
    old, future = (struct.pack("<I", magic) + table()[4:] for magic in (0xFFFFFFFB, 0xFFFFFFE9))
    with pytest.raises(UnknownTableError, match=r"before 1\.16"):
        find(old, "a.b")
    with pytest.raises(UnknownTableError, match="not known"):
        find(future, "a.b")


def test_an_index_that_does_not_know_the_record_is_not_believed() -> None:
    """The bytes of a name's offset stand in many places by chance."""
    data = bytearray(table())
    at = data.rindex(b"\xee" * 28) - 8
    data[at : at + 4] = struct.pack("<I", 0x304)
    assert find(bytes(data), "crypto/tls.(*Conn).Write") == {}


@pytest.mark.parametrize(
    "build",
    [
        lambda: golang.build("talk"),
        lambda: golang.build("talk", golang.STRIPPED, golang.PIE, toolchain=golang.OLDER),
    ],
    ids=["this Go", "older, stripped, position-independent"],
)
def test_real_programs_answer_as_their_symbols_do(build: object) -> None:
    """Compared with ``go tool nm`` of the same program with symbols."""
    program = build()  # type: ignore[operator]
    data = program.read_bytes()
    at = data.index(header_tail(1)) - 1
    read = FunctionTable(reader(data[at:]), len(data) - at)
    names = ["crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).Write", "runtime.memmove", "main.main"]
    found = read.find(names)
    assert set(found) == set(names)
    if b"\0.symtab\0" in data:
        said = symbols(program)
        base = said["runtime.text"]
        assert {name: base + span.start for name, span in found.items()} == {name: said[name] for name in names}


def symbols(program: Path) -> dict[str, int]:
    go = shutil.which("go")
    assert go
    listed = subprocess.run([go, "tool", "nm", program], check=True, capture_output=True, text=True).stdout
    rows = (line.split(None, 2) for line in listed.splitlines())
    return {row[2]: int(row[0], 16) for row in rows if len(row) == 3 and row[1] in "tT"}


def test_every_truncation_is_an_error_or_nothing() -> None:
    """Cut at every byte."""
    data = table()
    for end in range(len(data)):
        try:
            find(data[:end], "a.b", "crypto/tls.(*Conn).Read")
        except UnknownTableError:
            pass


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(MAGICS)), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=12))
def test_damage_is_an_error_or_nothing(layout: str, damage: list[tuple[int, int]]) -> None:
    """Bytes changed at random."""
    data = bytearray(table(layout=layout))
    for at, value in damage:
        data[at % len(data)] = value
    try:
        for span in find(bytes(data), "a.b", "crypto/tls.(*Conn).Read").values():
            assert span.start < span.end
    except UnknownTableError:
        pass


def test_a_table_without_end_costs_little() -> None:
    """A file that repeats one offset for ever, and says that it has all functions there can be: what is read is bounded, as is the time."""
    asked = 0
    row = struct.pack("<II", 0, 0)

    def endless(offset: int, size: int) -> bytes:
        nonlocal asked
        asked += size
        if offset < HEADER_BYTES:
            words = (4 * 1024**2, 1, 0, 72, 100, 100, 100, 128)
            return (struct.pack("<IHBB8Q", 0xFFFFFFF1, 0, 1, 8, *words) + b"\0a.b\0" + bytes(size))[
                offset : offset + size
            ]
        if offset < 128:
            return (b"\0a.b\0" + bytes(size))[:size]
        return (row * (size // 8 + 1))[:size]

    began = time.process_time()
    assert FunctionTable(endless, 1 << 60).find(["a.b"]) == {}
    assert asked < 2 * MAX_TABLE_BYTES
    assert time.process_time() - began < 20


def test_an_elf_file_gives_windows(tmp_path: Path) -> None:
    """As stacks/go.py reads it: through the file, never as one."""
    (tmp_path / "x").write_bytes(golang.build("talk").read_bytes())
    with (tmp_path / "x").open("rb") as file:
        elf = ElfFile(file)
        at = (tmp_path / "x").read_bytes().index(header_tail(1)) - 1
        sizes = []

        def read(offset: int, size: int) -> bytes:
            sizes.append(size)
            return elf.read(at + offset, size)

        assert FunctionTable(read, 1 << 30).find(["main.main"])
    assert max(sizes) <= 1024**2
    assert list(itertools.islice(sizes, 1)) == [HEADER_BYTES]
