"""
Draining the ring buffer without a call per record.

The kernel's ring buffer is two counters and a data area that user space can map (Documentation/bpf/ringbuf.rst): we read all
committed records in one pass and move the consumer position once.  Neighbouring records of one connection and direction
become one Chunk, so that what follows is paid per drain and not per TLS record.
"""

from __future__ import annotations

import ctypes
import mmap
from dataclasses import dataclass

from agent.capture.peers import told_peer
from agent.capture.records import CLOSED, DATA, HELLO, OPENED, PROCESS_EXEC, RECORD_FORMAT, OpenedRecord
from agent.model import Chunk, Closed, ConnId, Direction, Hello, Opened

_BUSY, _DISCARDED = 1 << 31, 1 << 30
_LENGTH = _DISCARDED - 1
_HEADER_BYTES = 8
_RECORD_BYTES = RECORD_FORMAT.size

# A Chunk grows to this and no further: the parsers' working sets stay in cache, and one connection can't make one huge copy.
MAX_JOINED_BYTES = 256 * 1024

# This many calls after the direction turned are never joined: time to first token comes from their stamps.
UNJOINED_AFTER_TURN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStarted:
    """A process has a new program."""

    pid: int
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEnded:
    pid: int
    at_ns: int


Happening = Opened | Chunk | Closed | Hello | ProcessStarted | ProcessEnded


class _Run:
    """One connection's state across drains, and the chunk that is growing."""

    __slots__ = (
        "at_ns",
        "cgroup_id",
        "conn",
        "direction",
        "last_at_ns",
        "next_position",
        "parts",
        "position",
        "room",
        "since_turn",
    )

    def __init__(self, conn: ConnId) -> None:
        self.conn = conn
        self.direction = -1
        self.since_turn = 0
        self.parts: list[bytes] = []
        self.position = self.next_position = self.at_ns = self.last_at_ns = self.cgroup_id = self.room = 0


class RingReader:
    """
    Reads one ``BPF_MAP_TYPE_RINGBUF``.

    Order is kept per connection and process.  Chunks of different connections of one drain may change places, which nothing depends on.
    """

    def __init__(self, map_fd: int, size_bytes: int) -> None:
        page = mmap.PAGESIZE
        self.size_bytes = size_bytes
        self._mask = size_bytes - 1
        self._consumer_page = mmap.mmap(map_fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0)
        # The data area is mapped twice in a row by the kernel, so that a record that wraps around reads as one.
        self._producer_pages = mmap.mmap(map_fd, page + 2 * size_bytes, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        # One aligned 8-byte load or store each; x86 and arm64 do those whole.
        self._consumer = ctypes.c_uint64.from_buffer(self._consumer_page)
        self._view = memoryview(self._producer_pages)
        self._producer = self._view[:8].cast("Q")
        self._data = self._view[page:]
        self._headers = self._data.cast("I")
        self._runs: dict[tuple[int, int, int], _Run] = {}
        self._by_pid: dict[int, set[ConnId]] = {}

    @property
    def fill_bytes(self) -> int:
        """Bytes waiting."""
        return int(self._producer[0] - self._consumer.value)

    @property
    def connections(self) -> int:
        return len(self._runs)

    def drain(self, clock_offset_ns: int) -> list[Happening]:
        """All committed records.  ``clock_offset_ns`` is added to the kernel's monotonic stamps."""
        out: list[Happening] = []
        growing: dict[int, _Run] = {}
        runs, headers, data, mask = self._runs, self._headers, self._data, self._mask
        unpack = RECORD_FORMAT.unpack_from
        at, end = self._consumer.value, self._producer[0]
        while at < end:
            offset = at & mask
            header = headers[offset >> 2]
            if header & _BUSY:
                break  # a program is still writing it; what follows has to wait for it
            at += ((header & _LENGTH) + _HEADER_BYTES + 7) & ~7
            if header & _DISCARDED:
                continue
            offset += _HEADER_BYTES
            at_ns, ssl, born_ns, cgroup_id, position, lost, tgid, size, kind, direction = unpack(data, offset)
            at_ns += clock_offset_ns
            if kind == DATA:
                key = (tgid, ssl, born_ns)
                run = runs.get(key)
                if run is None:
                    run = runs[key] = _Run(ConnId(pid=tgid, pointer=ssl, born_ns=born_ns))
                    self._by_pid.setdefault(tgid, set()).add(run.conn)
                offset += _RECORD_BYTES
                if run.direction != direction:
                    if run.parts:
                        out.append(_finish(run))
                    run.direction = direction
                    run.since_turn = 0
                run.since_turn += 1
                payload = bytes(data[offset : offset + size])
                if run.parts:
                    if (
                        position == run.next_position
                        and run.since_turn > UNJOINED_AFTER_TURN
                        and run.room > size
                        and not lost
                    ):
                        run.parts.append(payload)
                        run.next_position = position + size
                        run.last_at_ns = at_ns
                        run.room -= size
                        continue
                    out.append(_finish(run))
                if lost or not size:
                    out.append(
                        Chunk(
                            conn=run.conn,
                            direction=Direction(direction),
                            position=position,
                            data=payload,
                            lost=lost,
                            at_ns=at_ns,
                            last_at_ns=at_ns,
                            cgroup_id=cgroup_id,
                        )
                    )
                    continue
                run.parts.append(payload)
                run.position = position
                run.next_position = position + size
                run.at_ns = run.last_at_ns = at_ns
                run.cgroup_id = cgroup_id
                run.room = MAX_JOINED_BYTES - size
                growing[id(run)] = run
            elif kind == CLOSED:
                run = runs.get((tgid, ssl, born_ns))
                if run is not None:
                    self.forget(run.conn)
                    if run.parts:
                        out.append(_finish(run))
                    out.append(Closed(conn=run.conn, at_ns=at_ns))
            elif kind == HELLO:
                offset += _RECORD_BYTES
                out.append(
                    Hello(
                        cookie=ssl,
                        cgroup_id=cgroup_id,
                        position=position,
                        data=bytes(data[offset : offset + size]),
                        lost=lost,
                        untold=tgid,
                        at_ns=at_ns,
                    )
                )
            elif kind == OPENED:
                conn = ConnId(pid=tgid, pointer=ssl, born_ns=born_ns)
                out.append(_opened(conn, at_ns, bytes(data[offset + _RECORD_BYTES : offset + _RECORD_BYTES + size])))
            else:
                # What the process did before it ended comes before the news of its end.
                out.extend(_finish(run) for run in growing.values() if run.conn.pid == tgid and run.parts)
                kind_of = ProcessStarted if kind == PROCESS_EXEC else ProcessEnded
                out.append(kind_of(pid=tgid, at_ns=at_ns))
        self._consumer.value = at
        out.extend(_finish(run) for run in growing.values() if run.parts)
        return out

    def connections_of(self, pid: int) -> list[ConnId]:
        return list(self._by_pid.get(pid, ()))

    def known(self) -> list[ConnId]:
        """Connections that have spoken and not ended."""
        return [run.conn for run in self._runs.values()]

    def forget(self, conn: ConnId) -> None:
        """Nothing more of this connection is expected."""
        if self._runs.pop((conn.pid, conn.pointer, conn.born_ns), None):
            siblings = self._by_pid[conn.pid]
            siblings.discard(conn)
            if not siblings:
                del self._by_pid[conn.pid]

    def close(self) -> None:
        self._headers.release()
        self._data.release()
        self._producer.release()
        self._view.release()
        del self._consumer
        self._producer_pages.close()
        self._consumer_page.close()


def _opened(conn: ConnId, at_ns: int, told: bytes) -> Opened:
    record = OpenedRecord.from_buffer_copy(told)
    return Opened(conn=conn, peer=told_peer(record.peer), is_socket=bool(record.is_socket), at_ns=at_ns)


_DIRECTIONS = (Direction.SENT, Direction.RECEIVED)


def _finish(run: _Run) -> Chunk:
    parts = run.parts
    chunk = Chunk(
        conn=run.conn,
        direction=_DIRECTIONS[run.direction],
        position=run.position,
        data=parts[0] if len(parts) == 1 else b"".join(parts),
        at_ns=run.at_ns,
        last_at_ns=run.last_at_ns,
        cgroup_id=run.cgroup_id,
    )
    run.parts = []
    return chunk
