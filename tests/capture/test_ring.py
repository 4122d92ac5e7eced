"""The reader, on a ring buffer of our own making: the kernel's layout in a memory file."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture import ring
from agent.capture.records import (
    CLOSED,
    DATA,
    HELLO,
    OPENED,
    PROCESS_EXEC,
    PROCESS_EXIT,
    RECORD_FORMAT,
    OpenedRecord,
    PeerAddress,
)
from agent.capture.ring import ProcessEnded, ProcessStarted, RingReader
from agent.model import Chunk, Closed, ConnId, Direction, Hello, Opened, Peer

PAGE = mmap.PAGESIZE
SIZE = 4 * PAGE
BUSY, DISCARDED = 1 << 31, 1 << 30
SENT, RECEIVED = Direction.SENT, Direction.RECEIVED


class FakeRing:
    """Consumer page, producer page, data twice: Documentation/bpf/ringbuf.rst."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("ring")
        os.truncate(self.fd, 2 * PAGE + 2 * SIZE)
        self.produced = 0
        self.now = 0

    @property
    def consumed(self) -> int:
        return int(struct.unpack("<Q", os.pread(self.fd, 8, 0))[0])

    def put(
        self,
        kind: int = DATA,
        *,
        pid: int = 1,
        ssl: int = 100,
        born: int = 5,
        direction: int = SENT,
        position: int = 0,
        data: bytes = b"",
        lost: int = 0,
        flags: int = 0,
        reserved: int = 0,
    ) -> int:
        """One record; its size in the ring.  ``reserved``: the class, larger than the data."""
        self.now += 1
        head = RECORD_FORMAT.pack(self.now, ssl, born, 9, position, lost, pid, len(data), kind, direction)
        body = (head + data).ljust(RECORD_FORMAT.size + reserved, b"\xee")
        whole = struct.pack("<II", len(body) | flags, 0) + body
        whole = whole.ljust((len(whole) + 7) & ~7, b"\0")
        assert self.produced + len(whole) - self.consumed <= SIZE
        for offset, byte_run in self._places(whole):
            os.pwrite(self.fd, byte_run, 2 * PAGE + offset)
        self.produced += len(whole)
        os.pwrite(self.fd, struct.pack("<Q", self.produced), PAGE)
        return len(whole)

    def commit(self, at: int, size: int) -> None:
        """Clear the busy bit of the record at ``at``."""
        for offset, byte_run in self._places(struct.pack("<I", size - 8), at):
            os.pwrite(self.fd, byte_run, 2 * PAGE + offset)

    def _places(self, whole: bytes, at: int | None = None) -> Iterator[tuple[int, bytes]]:
        start = (self.produced if at is None else at) % SIZE
        for index in range(0, len(whole), 4):
            offset = (start + index) % SIZE
            yield offset, whole[index : index + 4]
            yield offset + SIZE, whole[index : index + 4]


@pytest.fixture
def fake() -> Iterator[FakeRing]:
    fake = FakeRing()
    yield fake
    os.close(fake.fd)


@pytest.fixture
def reader(fake: FakeRing) -> Iterator[RingReader]:
    reader = RingReader(fake.fd, SIZE)
    yield reader
    reader.close()


def test_nothing_yet(reader: RingReader) -> None:
    """An empty ring says nothing."""
    assert reader.drain(0) == []
    assert reader.fill_bytes == 0


def test_one_record(fake: FakeRing, reader: RingReader) -> None:
    """Every field arrives, stamps as Unix time, and the room is given back."""
    size = fake.put(data=b"hello", position=3, reserved=256)
    assert reader.fill_bytes == size
    (chunk,) = reader.drain(1_000)
    assert isinstance(chunk, Chunk)
    assert (chunk.conn.pid, chunk.conn.pointer, chunk.conn.born_ns) == (1, 100, 5)
    assert (chunk.direction, chunk.position, chunk.data, chunk.lost) == (SENT, 3, b"hello", 0)
    assert (chunk.at_ns, chunk.last_at_ns, chunk.cgroup_id) == (1_001, 1_001, 9)
    assert fake.consumed == fake.produced
    assert reader.fill_bytes == 0


def test_a_record_being_written_stops_the_drain(fake: FakeRing, reader: RingReader) -> None:
    """What follows waits for it, and comes, in order, when it is committed."""
    fake.put(data=b"a")
    at = fake.produced
    size = fake.put(data=b"b", position=1, flags=BUSY, reserved=8)
    fake.put(data=b"c", position=2)
    assert [chunk.data for chunk in reader.drain(0) if isinstance(chunk, Chunk)] == [b"a"]
    assert reader.drain(0) == []
    fake.commit(at, size)
    assert [chunk.data for chunk in reader.drain(0) if isinstance(chunk, Chunk)] == [b"b", b"c"]


def test_discarded_records_are_skipped(fake: FakeRing, reader: RingReader) -> None:
    """A reservation that a program gave up says nothing."""
    fake.put(data=b"x", flags=DISCARDED)
    fake.put(data=b"y")
    assert [chunk.data for chunk in reader.drain(0) if isinstance(chunk, Chunk)] == [b"y"]


def test_the_first_calls_after_a_turn_stay_alone(fake: FakeRing, reader: RingReader) -> None:
    """Time to first token comes from their stamps; later ones are joined, across no turn, and over drains counted on."""
    for index in range(20):
        fake.put(direction=RECEIVED, position=index, data=b"r")
    chunks = reader.drain(0)
    assert [len(chunk.data) for chunk in chunks if isinstance(chunk, Chunk)] == [1] * 7 + [13]
    assert isinstance(chunks[-1], Chunk)
    assert (chunks[-1].at_ns, chunks[-1].last_at_ns) == (8, 20)
    for index in range(3):
        fake.put(direction=RECEIVED, position=20 + index, data=b"r")
    fake.put(direction=SENT, position=0, data=b"s")
    fake.put(direction=RECEIVED, position=23, data=b"t")
    chunks = reader.drain(0)
    assert [chunk.data for chunk in chunks if isinstance(chunk, Chunk)] == [b"rrr", b"s", b"t"]


def test_holes_and_losses_are_never_joined_over(fake: FakeRing, reader: RingReader) -> None:
    """A jump of the position, or bytes that were not copied, end a chunk."""
    for index in range(10):
        fake.put(position=index, data=b"a")
    fake.put(position=50, data=b"b")
    fake.put(position=51, data=b"c", lost=7)
    fake.put(position=59, data=b"d")
    said = [(chunk.position, chunk.data, chunk.lost) for chunk in reader.drain(0) if isinstance(chunk, Chunk)]
    assert said[-3:] == [(50, b"b", 0), (51, b"c", 7), (59, b"d", 0)]


def test_a_chunk_has_a_bound(fake: FakeRing, reader: RingReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is waiting, no chunk is larger than MAX_JOINED_BYTES."""
    monkeypatch.setattr(ring, "MAX_JOINED_BYTES", 64)
    for index in range(60):
        fake.put(position=index * 10, data=b"0123456789")
    chunks = [chunk for chunk in reader.drain(0) if isinstance(chunk, Chunk)]
    assert max(len(chunk.data) for chunk in chunks) <= 64
    assert b"".join(chunk.data for chunk in chunks) == b"0123456789" * 60


def test_the_end_comes_last_and_is_forgotten(fake: FakeRing, reader: RingReader) -> None:
    """Bytes of the same drain come before the end; a second end, and one of a connection never seen, say nothing."""
    fake.put(data=b"bye")
    fake.put(CLOSED)
    fake.put(CLOSED)
    fake.put(CLOSED, ssl=7)
    chunk, closed = reader.drain(0)
    assert isinstance(chunk, Chunk)
    assert isinstance(closed, Closed)
    assert closed.conn == chunk.conn
    assert reader.connections == 0
    assert reader.connections_of(1) == []


def test_an_end_in_a_later_turn_is_the_end_alone(fake: FakeRing, reader: RingReader) -> None:
    """What was said was handed over before: no chunk without a byte."""
    fake.put(data=b"bye")
    (chunk,) = reader.drain(0)
    fake.put(CLOSED)
    (closed,) = reader.drain(0)
    assert isinstance(chunk, Chunk)
    assert closed == Closed(conn=chunk.conn, at_ns=2)


def test_processes(fake: FakeRing, reader: RingReader) -> None:
    """What a process said comes before the news of its end; others' bytes are not touched."""
    fake.put(PROCESS_EXEC, pid=2)
    fake.put(pid=1, data=b"mine")
    fake.put(pid=2, data=b"its")
    fake.put(PROCESS_EXIT, pid=1)
    started, mine, ended, its = reader.drain(0)
    assert (started, ended) == (ProcessStarted(pid=2, at_ns=1), ProcessEnded(pid=1, at_ns=4))
    assert isinstance(mine, Chunk)
    assert isinstance(its, Chunk)
    assert (mine.data, its.data) == (b"mine", b"its")
    assert reader.connections_of(1) == [mine.conn]
    reader.forget(mine.conn)
    assert (reader.connections_of(1), reader.known()) == ([], [its.conn])


PUT = st.tuples(st.integers(1, 3), st.integers(0, 1), st.binary(max_size=700), st.booleans())


@given(st.lists(PUT, max_size=120))
def test_any_traffic_any_number_of_times_around(puts: list[tuple[int, int, bytes, bool]]) -> None:
    """Every byte of every connection and direction comes out once, in order, however the ring wraps and is drained."""
    fake = FakeRing()
    reader = RingReader(fake.fd, SIZE)
    written: dict[tuple[int, int], bytes] = {}
    read: dict[tuple[int, int], bytes] = {}

    def drain() -> None:
        for chunk in reader.drain(0):
            assert isinstance(chunk, Chunk)
            key = (chunk.conn.pid, chunk.direction)
            assert chunk.position == len(read.get(key, b""))
            read[key] = read.get(key, b"") + chunk.data

    for pid, direction, data, drained in puts:
        key = (pid, direction)
        if drained or fake.produced - fake.consumed > SIZE // 2:
            drain()
        fake.put(pid=pid, direction=direction, position=len(written.get(key, b"")), data=data, reserved=1024)
        written[key] = written.get(key, b"") + data
    drain()
    reader.close()
    os.close(fake.fd)
    assert read == written


@pytest.mark.parametrize(
    ("family", "address", "peer"),
    [
        (socket.AF_INET, b"\x0a\0\0\x07", Peer(address="10.0.0.7", port=8000)),
        (socket.AF_INET6, b"\xfd" + bytes(14) + b"\x01", Peer(address="fd00::1", port=8000)),
        (socket.AF_UNIX, b"", None),
        (0, b"", None),
    ],
)
def test_a_plaintext_connection_is_told_before_its_bytes(
    fake: FakeRing, reader: RingReader, family: int, address: bytes, peer: Peer | None
) -> None:
    """With whom it was connected to, where that is an internet address; and that it is a socket."""
    told = PeerAddress(address=(ctypes.c_uint8 * 16)(*address), family=family, port=8000)
    fake.put(OPENED, ssl=1 << 63 | 3, data=bytes(OpenedRecord(peer=told, is_socket=1)))
    fake.put(ssl=1 << 63 | 3, data=b"POST")
    opened, chunk = reader.drain(1000)
    conn = ConnId(pid=1, pointer=1 << 63 | 3, born_ns=5)
    assert opened == Opened(conn=conn, peer=peer, is_socket=True, at_ns=1001)
    assert isinstance(chunk, Chunk)
    assert chunk.conn == conn


def test_what_packets_tell(fake: FakeRing, reader: RingReader) -> None:
    """Of a socket by its cookie, in its group; no process's end takes anything of it."""
    fake.put(HELLO, pid=3, ssl=77, born=0, position=2, data=b"hello", lost=4)
    (told,) = reader.drain(1000)
    assert told == Hello(cookie=77, cgroup_id=9, position=2, data=b"hello", lost=4, untold=3, at_ns=1001)
    assert reader.connections == 0
