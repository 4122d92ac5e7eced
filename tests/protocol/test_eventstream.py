"""Amazon's event stream: frames as they become complete, however the bytes are cut, and what damage costs."""

from __future__ import annotations

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from agent.model import StreamItem
from agent.protocol.eventstream import MAX_FRAME_BYTES, EventStreamParser, is_frame
from tests.protocol.cuts import all_ways, growth
from tests.protocol.frames import event, frame, string_header

FRAMES = [event("messageStart", b'{"role":"assistant"}'), event("contentBlockDelta", b'{"a":"\0\0"}'), event("m", b"")]
STREAM = b"".join(FRAMES) + event("exception:throttlingException", b'{"message":"slow"}') + event("error:503", b"")
ITEMS = [
    StreamItem("messageStart", b'{"role":"assistant"}'),
    StreamItem("contentBlockDelta", b'{"a":"\0\0"}'),
    StreamItem("m", b""),
    StreamItem("exception:throttlingException", b'{"message":"slow"}'),
    StreamItem("error:503", b""),
]


def parse(parts: list[bytes]) -> list[StreamItem]:
    parser = EventStreamParser()
    items = [item for part in parts for item in parser.receive(part)]
    assert not parser.damaged
    return items + parser.close()


def test_splitting_never_changes_the_events() -> None:
    """Whole, byte by byte, every cut in two, random cuts."""
    for parts in all_ways(STREAM):
        assert parse(parts) == ITEMS, [len(part) for part in parts]


def test_all_kinds_of_headers_are_passed_over() -> None:
    """Ten types of value exist; only strings say anything here."""
    kinds = [b"", b"", b"\1", b"\0\1", b"\0" * 4, b"\0" * 8, b"\0\2ab", b"\0\1x", b"\0" * 8, b"\0" * 16]
    headers = b"".join(b"\1k" + bytes([kind]) + value for kind, value in enumerate(kinds))
    assert parse([frame(b"x", headers + string_header(":event-type", "e"))]) == [StreamItem("e", b"x")]


def test_headers_that_make_no_sense_cost_the_name_alone() -> None:
    """Their checksum is right: it was sent so."""
    for headers in (b"\xff", b"\1k\x0a", b"\1k\x07\xff\xff", b"\1k"):
        assert parse([frame(b"x", headers)]) == [StreamItem("", b"x")]


def test_a_message_type_of_the_future_is_no_event() -> None:
    """Passed over, not guessed."""
    assert parse([frame(b"x", string_header(":message-type", "news"))]) == []


def test_a_wrong_payload_checksum_costs_that_frame() -> None:
    """And says so."""
    for at in (len(FRAMES[0]) + 30, len(FRAMES[0] + FRAMES[1]) - 1):
        damaged = bytearray(STREAM)
        damaged[at] ^= 1
        parser = EventStreamParser()
        assert parser.receive(bytes(damaged)) == [ITEMS[0], *ITEMS[2:]]
        assert parser.damaged


def test_a_wrong_prelude_checksum_costs_that_frame() -> None:
    """Its length can't be trusted: the next frame is found by its own checksum."""
    for at in range(12):
        damaged = bytearray(STREAM)
        damaged[len(FRAMES[0]) + at] ^= 0x10
        parser = EventStreamParser()
        assert parser.receive(bytes(damaged)) == [ITEMS[0], *ITEMS[2:]], at
        assert parser.damaged


def test_after_a_gap_the_next_whole_frame_is_read() -> None:
    """A hole anywhere: frames that lie wholly before or behind it survive, nothing is invented, no damage is claimed."""
    edges = [0]
    for one in [*FRAMES, event("exception:throttlingException", b'{"message":"slow"}'), event("error:503", b"")]:
        edges.append(edges[-1] + len(one))
    for start in range(len(STREAM)):
        end = min(start + 25, len(STREAM))
        parser = EventStreamParser()
        items = parser.receive(STREAM[:start])
        parser.gap()
        items += parser.receive(STREAM[end:])
        whole = [item for item, low, high in zip(ITEMS, edges, edges[1:], strict=False) if high <= start or low >= end]
        assert items == whole, start
        assert not parser.damaged


def test_a_cut_frame_is_none() -> None:
    """The connection ended in the middle of one."""
    parser = EventStreamParser()
    assert parser.receive(STREAM[: len(FRAMES[0]) + 40]) == ITEMS[:1]
    assert parser.buffered_bytes == 40
    assert parser.close() == []
    assert parser.buffered_bytes == 0


def test_a_length_beyond_the_limit_is_no_frame() -> None:
    """Bounded memory: what claims to be longer is searched for the next frame instead of being waited for."""
    prelude = struct.pack(">II", MAX_FRAME_BYTES + 1, 0)
    prelude += struct.pack(">I", zlib.crc32(prelude))
    assert not is_frame(prelude)
    assert not is_frame(prelude[:8])
    parser = EventStreamParser()
    assert parser.receive(prelude + FRAMES[0]) == ITEMS[:1]
    for _ in range(200):
        parser.receive(b"\1" * 65536)
    assert parser.buffered_bytes < 16


def test_a_large_frame_in_small_reads_is_looked_at_once() -> None:
    """Time grows with size, not with its square."""

    def feed(size: int) -> None:
        parser = EventStreamParser()
        data = event("e", b"x" * size)
        assert sum(len(parser.receive(data[at : at + 8])) for at in range(0, len(data), 8)) == 1

    assert growth(feed) < 24


@given(st.lists(st.binary(max_size=40)))
def test_garbage_raises_nothing(parts: list[bytes]) -> None:
    """Passed over, in bounded memory."""
    parser = EventStreamParser()
    for part in parts:
        parser.receive(part)
        assert parser.buffered_bytes <= MAX_FRAME_BYTES
    parser.gap()
    assert parser.close() == []
