"""
Which process has just mapped which file as code: told by the kernel as it happens.

A perf event that never fires brings along what the kernel tells of mappings beside any event, into a ring per CPU that wakes whoever
waits.  It needs CAP_PERFMON and no more, on every kernel that we run on.  Exec, dlopen and Python's import all end in a mapping.
Source: perf_event_open(2), include/uapi/linux/perf_event.h (``PERF_RECORD_MMAP2``, ``struct perf_event_mmap_page``).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.capture.links import AttachError, perf_event_open
from agent.model import PodtabError

# Four hundred mappings between two looks, which are milliseconds apart; 128 CPUs take 8 MB.  A user may lock 512 KB a CPU without CAP_IPC_LOCK.
_RING_PAGES = 16
_RECORD_MMAP2, _RECORD_LOST = 10, 2
_HEADER = struct.Struct("<IHH")
# pid, tid, address, length, offset; device (major, minor), inode and its generation.
_MMAP2 = struct.Struct("<IIQQQIIQQ")
_LOST = struct.Struct("<QQ")
# In native form, which is one load or store of eight bytes: the kernel writes the one while we read it, and reads the other.
_POSITION = struct.Struct("@Q")
_HEAD_AT, _TAIL_AT = 1024, 1032
_TYPE_SOFTWARE, _DUMMY = 1, 9
# Bits of perf_event_attr: mappings of code, waking by bytes, and device and inode in the record.
_FLAGS = 1 << 8 | 1 << 14 | 1 << 23
_WAKE_AFTER_BYTES = 1
_CPUS = Path("/sys/devices/system/cpu/online")


UNHEARD = "the kernel does not tell of mappings: libraries that are loaded late are found later"
"""For logs, where ``opened`` gives a reason."""


class MappingsError(PodtabError):
    """The kernel does not tell of mappings."""


@dataclass(frozen=True, slots=True)
class File:
    """As the kernel names it here; kernels 6.7 to 6.17 name files of container images otherwise in /proc/PID/maps."""

    major: int
    minor: int
    inode: int
    generation: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """A process has mapped this file as code."""

    pid: int
    file: File


class _Attributes(ctypes.Structure):
    """``struct perf_event_attr``, as far as the oldest kernel has it."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_period", ctypes.c_uint64),
        ("sample_type", ctypes.c_uint64),
        ("read_format", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
        ("wakeup_watermark", ctypes.c_uint32),
        ("bp_type", ctypes.c_uint32),
        ("config1", ctypes.c_uint64),
        ("config2", ctypes.c_uint64),
    )


class Mappings:
    """
    Open on every CPU.  Used from one thread.

    What a ring has no room for is lost and counted: somebody maps in a loop, or nobody looked for long.
    """

    def __init__(self, ring_pages: int = _RING_PAGES) -> None:
        self._ring_bytes = ring_pages * mmap.PAGESIZE
        self._rings: dict[int, tuple[int, mmap.mmap]] = {}
        self._poll = select.poll()
        self.lost = 0
        try:
            self.meet_cpus()
        except BaseException:
            self.close()
            raise

    def meet_cpus(self) -> None:
        """Open on those that came since.  Raises MappingsError."""
        for cpu in cpus_of(_CPUS.read_text(encoding="ascii")):
            if cpu in self._rings:
                continue
            attributes = _Attributes(
                type=_TYPE_SOFTWARE,
                size=ctypes.sizeof(_Attributes),
                config=_DUMMY,
                flags=_FLAGS,
                wakeup_watermark=_WAKE_AFTER_BYTES,
            )
            try:
                event = perf_event_open(attributes, cpu=cpu)
            except (OSError, AttachError) as error:
                raise MappingsError(f"perf_event_open: {error}; it needs CAP_PERFMON") from None
            try:
                ring = mmap.mmap(event, mmap.PAGESIZE + self._ring_bytes)
            except OSError as error:
                os.close(event)
                raise MappingsError(
                    f"no memory for news of mappings: {error}; raise kernel.perf_event_mlock_kb"
                ) from None
            self._rings[cpu] = event, ring
            self._poll.register(event, select.POLLIN)

    def wait(self, seconds: float) -> bool:
        """Whether there is something to drain, at once or within this time."""
        return bool(self._poll.poll(seconds * 1000))

    def drain(self) -> list[Mapping]:
        """All since the last time; of a process in order, as long as it stays on its CPU."""
        found: list[Mapping] = []
        for _, ring in self._rings.values():
            (head,), (tail,) = _POSITION.unpack_from(ring, _HEAD_AT), _POSITION.unpack_from(ring, _TAIL_AT)
            if head == tail:
                continue
            start, size = tail % self._ring_bytes, head - tail
            first = min(size, self._ring_bytes - start)
            data = ring[mmap.PAGESIZE + start : mmap.PAGESIZE + start + first]
            data += ring[mmap.PAGESIZE : mmap.PAGESIZE + size - first]
            _POSITION.pack_into(ring, _TAIL_AT, head)
            found += self._read(data)
        return found

    def _read(self, data: bytes) -> Iterator[Mapping]:
        mappings, lost = read(data)
        self.lost += lost
        yield from mappings

    def close(self) -> None:
        for event, ring in self._rings.values():
            ring.close()
            os.close(event)
        self._rings = {}


def read(data: bytes) -> tuple[list[Mapping], int]:
    """Mappings of files among whole records, and how many records were lost.  What is mapped and is no file (compiled while it runs) is left out."""
    found: list[Mapping] = []
    lost = at = 0
    while at + _HEADER.size <= len(data):
        kind, _, size = _HEADER.unpack_from(data, at)
        if size < _HEADER.size or at + size > len(data):
            break  # the kernel writes whole records
        body = at + _HEADER.size
        if kind == _RECORD_MMAP2 and size >= _HEADER.size + _MMAP2.size:
            pid, _, _, _, _, major, minor, inode, generation = _MMAP2.unpack_from(data, body)
            if inode:
                found.append(Mapping(pid, File(major, minor, inode, generation)))
        elif kind == _RECORD_LOST and size >= _HEADER.size + _LOST.size:
            lost += _LOST.unpack_from(data, body)[1]
        at += size
    return found, lost


def cpus_of(text: str) -> list[int]:
    """``0-3,8``."""
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def opened(warn: Callable[[str], None]) -> Mappings | None:
    """None where the kernel does not tell us, after a word of it: processes are looked at again and again then."""
    try:
        return Mappings()
    except MappingsError as error:
        warn(str(error))
        return None
