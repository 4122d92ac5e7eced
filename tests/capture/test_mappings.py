"""Records of mappings as the kernel writes them; that it does write them is in tests/kernel/test_mappings.py."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture import mappings as module
from agent.capture.mappings import File, Mapping, Mappings, MappingsError, cpus_of, read


def mmap2(pid: int, inode: int, name: bytes = b"/usr/lib/libssl.so.3") -> bytes:
    """``PERF_RECORD_MMAP2``."""
    padded = name + b"\0" * (8 - len(name) % 8)
    body = struct.pack("<IIQQQIIQQII", pid, pid + 1, 0x7F0000000000, 4096, 0, 8, 1, inode, 77, 5, 2) + padded
    return struct.pack("<IHH", 10, 2, 8 + len(body)) + body


def lost(number: int) -> bytes:
    return struct.pack("<IHHQQ", 2, 0, 24, 3, number)


COMM = struct.pack("<IHHII", 3, 0, 24, 5, 5) + b"sh".ljust(8, b"\0")


def test_what_is_mapped_by_whom() -> None:
    """Device, inode and its generation make the file; other records are passed over, losses summed."""
    data = mmap2(5, 100) + COMM + lost(3) + mmap2(6, 101, b"/odd \xff\n name") + lost(4)
    assert read(data) == ([Mapping(5, File(8, 1, 100, 77)), Mapping(6, File(8, 1, 101, 77))], 7)


def test_what_is_compiled_while_it_runs_is_no_file() -> None:
    """A JVM maps code without end."""
    assert read(mmap2(5, 0, b"//anon")) == ([], 0)


@given(st.binary(max_size=300))
def test_nonsense_costs_nothing(data: bytes) -> None:
    """The kernel writes whole records; whatever else there is ends the reading."""
    found, missing = read(data)
    assert len(found) <= len(data) // 72
    assert missing >= 0


@given(st.lists(st.sampled_from([mmap2(5, 100), lost(1), COMM]), max_size=8), st.integers(0, 400))
def test_a_cut_record_is_left(records: list[bytes], cut: int) -> None:
    """What comes before it stands."""
    whole, data, used = [], b"".join(records)[:cut], 0
    for one in records:
        used += len(one)
        if used > len(data):
            break
        whole.append(one)
    assert read(data) == (
        [Mapping(5, File(8, 1, 100, 77))] * sum(one == mmap2(5, 100) for one in whole),
        sum(one == lost(1) for one in whole),
    )


def test_cpus() -> None:
    """As /sys lists them."""
    assert cpus_of("0\n") == [0]
    assert cpus_of("0-2,5,8-9\n") == [0, 1, 2, 5, 8, 9]


def test_where_the_kernel_refuses_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one goes on without."""

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(module, "perf_event_open", refuse)
    with pytest.raises(MappingsError, match="CAP_PERFMON"):
        Mappings()
    said: list[str] = []
    assert module.opened(said.append) is None
    assert "CAP_PERFMON" in said[0]


def test_a_record_around_the_rings_end_is_read_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wherever it is cut; and it is read once."""
    size = mmap.PAGESIZE
    online = tmp_path / "online"
    online.write_text("0\n")
    memory = os.memfd_create("ring")
    os.ftruncate(memory, mmap.PAGESIZE + size)
    monkeypatch.setattr(module, "_CPUS", online)
    monkeypatch.setattr(module, "perf_event_open", lambda *_, **__: memory)
    told = Mappings(ring_pages=1)
    data = mmap2(5, 100) + lost(3) + mmap2(6, 101)
    for before in range(0, len(data) + 8, 8):
        tail = 3 * size - before
        for number, byte in enumerate(data):
            os.pwrite(memory, bytes([byte]), mmap.PAGESIZE + (tail + number) % size)
        os.pwrite(memory, struct.pack("<QQ", tail + len(data), tail), 1024)
        assert told.drain() == [Mapping(5, File(8, 1, 100, 77)), Mapping(6, File(8, 1, 101, 77))], before
        assert told.drain() == []
    assert told.lost == 3 * (len(data) // 8 + 1)
    told.close()
