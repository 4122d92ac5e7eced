"""Reassembly: order kept, loss counted to the byte, nothing given twice."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from agent.model import Chunk, ConnId, Direction, Gap, Segment
from agent.streams.reassembly import Reassembler

CONN = ConnId(pid=1, pointer=2, born_ns=3)


def chunk(position: int, data: bytes, lost: int = 0) -> Chunk:
    return Chunk(
        conn=CONN, direction=Direction.SENT, position=position, data=data, lost=lost, at_ns=1, last_at_ns=2, cgroup_id=0
    )


def seen(chunks: list[Chunk]) -> list[bytes | int]:
    """Bytes, and gaps as their size."""
    stream = Reassembler(Direction.SENT)
    pieces = [piece for one in chunks for piece in stream.receive(one)]
    return [piece.data if isinstance(piece, Segment) else piece.size for piece in pieces]


def test_bytes_in_order_pass_through() -> None:
    """The normal case adds nothing."""
    assert seen([chunk(0, b"ab"), chunk(2, b"cd")]) == [b"ab", b"cd"]


def test_a_lost_record_is_a_gap_of_its_size() -> None:
    """The position jumps by what is missing."""
    assert seen([chunk(0, b"ab"), chunk(7, b"x")]) == [b"ab", 5, b"x"]


def test_what_came_before_the_first_chunk_is_a_gap_of_unknown_size() -> None:
    """Joined late, or forgotten while it was silent: nobody watched those bytes, so they are not counted as lost."""
    assert seen([chunk(4, b"x"), chunk(7, b"y")]) == [0, b"x", 2, b"y"]


def test_bytes_that_were_not_copied_are_a_gap_behind_the_record() -> None:
    """A call larger than what is copied of one call."""
    assert seen([chunk(0, b"ab", lost=10), chunk(12, b"x")]) == [b"ab", 10, b"x"]


def test_an_unreadable_buffer_is_all_gap() -> None:
    """No data at all is not silence."""
    assert seen([chunk(0, b"", lost=10), chunk(10, b"x")]) == [10, b"x"]


def test_what_was_seen_is_not_given_again() -> None:
    """Repetitions and overlaps are trimmed."""
    assert seen([chunk(0, b"abcd"), chunk(2, b"cdef"), chunk(0, b"ab"), chunk(6, b"g")]) == [b"abcd", b"ef", b"g"]


def test_lost_bytes_are_added_up() -> None:
    """The sum is what metrics say."""
    stream = Reassembler(Direction.SENT)
    for one in (chunk(3, b"ab", lost=4), chunk(20, b"x")):
        stream.receive(one)
    assert stream.lost_bytes == 4 + 11


@given(st.binary(min_size=1, max_size=200), st.randoms(use_true_random=False))
def test_captured_and_lost_are_always_all_there_was(data: bytes, chance: random.Random) -> None:
    """Whatever is dropped of a stream, given bytes plus gaps are its length, and every byte is the right one."""
    chunks, at = [], 0
    while at < len(data):
        size = chance.randint(1, 20)
        part = data[at : at + size]
        copied = chance.randint(0, len(part))
        if chance.random() < 0.7:
            chunks.append(chunk(at, part[:copied], lost=len(part) - copied))
        at += len(part)
    chunks.append(chunk(len(data), b"!"))
    position = chunks[0].position
    stream = Reassembler(Direction.SENT)
    for one in chunks:
        for piece in stream.receive(one):
            if isinstance(piece, Gap):
                position += piece.size
            else:
                assert (data + b"!")[position : position + len(piece.data)] == piece.data
                position += len(piece.data)
    assert position == len(data) + 1
