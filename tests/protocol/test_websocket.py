"""WebSocket frames: splitting never matters, what a gap costs is known or told, and nothing grows without bound."""

from __future__ import annotations

import itertools
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Message, ProtocolError
from agent.protocol import websocket
from agent.protocol.websocket import Agreed, Deflate, WebSocketReader, agreed
from tests.protocol.cuts import all_ways, growth
from tests.protocol.websocket_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, Deflater, fragments, frame

KEEPS, FORGETS = Deflate(keeps_context=True), Deflate(keeps_context=False)
ZLIB_BYTES = 40 * 1024
LONG = bytes(range(256)) * 3
"""Longer than 125, so the length stands in two bytes."""


def read(parts: list[bytes], deflate: Deflate | None = None) -> list[Message]:
    reader = WebSocketReader(deflate)
    return [message for part in parts for message in reader.receive(part)] + reader.close()


def texts(*payloads: bytes) -> list[Message]:
    return [Message(payload) for payload in payloads]


RFC_6455 = {
    # Section 5.7, byte by byte.
    "unmasked text": (b"\x81\x05Hello", b"Hello"),
    "masked text": (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", b"Hello"),
    "fragments": (b"\x01\x03Hel\x80\x02lo", b"Hello"),
    "256 bytes": (b"\x82\x7e\x01\x00" + bytes(256), bytes(256)),
    "64 KiB": (b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + bytes(65536), bytes(65536)),
    "ping in between": (b"\x01\x03Hel\x89\x05Hello\x80\x02lo", b"Hello"),
}
RFC_7692 = {
    # Section 7.2.3, byte by byte.
    "one frame": [b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"],
    "two frames": [b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"],
    "twice, the second refers to the first": [b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", b"\xc1\x05\xf2\x00\x11\x00\x00"],
    "not compressed": [b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"],
    "a last block": [b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"],
    "two blocks": [b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"],
}


@pytest.mark.parametrize(("stream", "payload"), RFC_6455.values(), ids=RFC_6455.keys())
def test_the_examples_of_rfc_6455(stream: bytes, payload: bytes) -> None:
    """What the RFC writes out is read as it says."""
    assert read([stream]) == texts(payload)


@pytest.mark.parametrize("frames", RFC_7692.values(), ids=RFC_7692.keys())
def test_the_examples_of_rfc_7692(frames: list[bytes]) -> None:
    """Every one says Hello, however the block is made."""
    assert read(frames, KEEPS) == texts(*[b"Hello"] * len(frames))


@pytest.mark.parametrize("masked", [False, True], ids=["received", "sent"])
def test_splitting_never_changes_the_messages(masked: bool) -> None:
    """Whole, byte by byte, every cut in two, random cuts: fragments, empty frames, control frames in between, long and binary ones."""
    ping, pong = frame(b"are you there", PING, masked=masked), frame(b"", PONG, masked=masked)
    stream = (
        frame(b"one", masked=masked)
        + fragments(b"in four parts", 3, 0, 4, masked=masked, between=ping)
        + pong
        + frame(b"", masked=masked)
        + frame(LONG, BINARY, masked=masked)
        + frame(b"\x03\xe8bye", CLOSE, masked=masked)
    )
    for parts in all_ways(stream):
        assert read(parts) == texts(b"one", b"in four parts", b"", LONG), [len(part) for part in parts]


@pytest.mark.parametrize("keeps_context", [True, False], ids=["context kept", "context dropped"])
def test_splitting_never_changes_compressed_messages(keeps_context: bool) -> None:
    """Compressed, compressed in fragments, and plain ones between them, as servers do with short messages."""
    deflate = Deflater(keeps_context=keeps_context)
    payloads = [b'{"type":"a"}', LONG, b'{"type":"a"}', b"plain", LONG + b"x"]
    packed = [payload if payload == b"plain" else deflate(payload) for payload in payloads]
    stream = b"".join(
        frame(one, masked=True) if one == b"plain" else fragments(one, 5, masked=True, compressed=True)
        for one in packed
    )
    for parts in all_ways(stream):
        assert read(parts, Deflate(keeps_context=keeps_context)) == texts(*payloads)


@pytest.mark.parametrize("bits", range(9, 16))
def test_every_window_is_read(bits: int) -> None:
    """What was written with a small window needs none of its own."""
    deflate = Deflater(window_bits=bits)
    stream = b"".join(frame(deflate(LONG * 40), compressed=True) for _ in range(3))
    assert read([stream], KEEPS) == texts(*[LONG * 40] * 3)


def test_a_gap_inside_a_payload_costs_its_message_alone() -> None:
    """The frame's length says where the next one begins, also for fragments, masks and gaps that end with the frame."""
    before, after = frame(b"before", masked=True), frame(b"after", masked=True)
    hit = fragments(b"0123456789", 6, masked=True)
    for start, end in ((6, 8), (6, 12), (7, 12), (18, 20), (18, 22)):
        reader = WebSocketReader()
        got = reader.receive(before + hit[:start])
        got += reader.gap(end - start)
        got += reader.receive(hit[end:] + after)
        assert got == [Message(b"before"), Message(b"", "gap"), Message(b"after")], (start, end)
        assert not reader.lost


def test_a_gap_in_a_ping_costs_nothing() -> None:
    """A control frame says nothing that we read."""
    reader = WebSocketReader()
    got = reader.receive(b"\x01\x03Hel\x89\x05He")
    got += reader.gap(3)
    got += reader.receive(b"\x80\x02lo")
    assert got == texts(b"Hello")


@pytest.mark.parametrize(
    ("seen", "size"),
    [(b"", 4), (b"\x81", 1), (b"\x81\x05Hello", 7), (b"\x81\x05He", 4), (b"\x81\x05He", 0)],
    ids=["at the start", "in a header", "between frames", "beyond the frame", "of unknown size"],
)
def test_any_other_gap_loses_the_direction(seen: bytes, size: int) -> None:
    """Nothing says where the next frame begins, so nothing is guessed: that is told once, and nothing follows."""
    reader = WebSocketReader()
    reader.receive(seen)
    assert reader.gap(size) == [Message(b"", "lost")]
    assert reader.lost
    assert reader.receive(frame(b"x")) + reader.gap(3) + reader.close() == []


def test_compression_that_remembers_is_lost_with_its_first_byte() -> None:
    """What follows refers to what is missing; without context the next message is whole again."""
    for deflate, told, lost in ((KEEPS, "lost", True), (FORGETS, "gap", False)):
        packer = Deflater(keeps_context=deflate.keeps_context)
        one, two = frame(packer(LONG), compressed=True), frame(packer(LONG), compressed=True)
        reader = WebSocketReader(deflate)
        got = reader.receive(one[:20])
        got += reader.gap(5)
        got += reader.receive(one[25:] + two)
        assert got == [Message(b"", told)] + ([] if lost else texts(LONG))
        assert reader.lost == lost


def test_a_message_that_is_not_whole_at_the_end_is_told() -> None:
    """Cut in its payload or between its fragments; a cut header is no message yet."""
    assert read([b"\x81\x05He"]) == [Message(b"", "cut")]
    assert read([b"\x01\x02He"]) == [Message(b"", "cut")]
    assert read([b"\x81\x02He\x81"]) == texts(b"He")


def test_nothing_is_read_behind_a_close() -> None:
    """RFC 6455, 5.5.1: nothing more is sent after it; a message under way is told as cut."""
    reader = WebSocketReader()
    assert reader.receive(b"\x01\x02He" + frame(b"\x03\xe8", CLOSE) + frame(b"late")) == [Message(b"", "cut")]
    assert reader.ended
    assert not reader.lost


BROKEN = {
    "reserved opcode": b"\x83\x00",
    "reserved control opcode": b"\x8b\x00",
    "fragmented ping": b"\x09\x00",
    "long ping": b"\x89\x7e\x00\x7e",
    "continuation of nothing": b"\x80\x00",
    "text inside a message": b"\x01\x00\x81\x00",
    "compressed without an extension": b"\xc1\x00",
    "unknown bit": b"\xa1\x00",
    "bit on a continuation": b"\x01\x00\xc0\x00",
    "2^63 bytes": b"\x82\xff\x80" + bytes(11),
}


@pytest.mark.parametrize("stream", BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_the_rules_is_refused(stream: bytes) -> None:
    """By the parser's own error, whole and byte by byte."""
    for parts in all_ways(stream):
        with pytest.raises(ProtocolError):
            read(parts)


def test_broken_compression_is_refused() -> None:
    """A block that is none."""
    with pytest.raises(ProtocolError, match="broken"):
        read([frame(b"\xff\xff\xff\xff", compressed=True)], KEEPS)


def test_a_message_that_is_too_long_is_dropped_and_told() -> None:
    """In bounded memory; the next one is read, compressed or not."""
    piece = frame(bytes(65536), CONTINUATION, final=False)
    reader = WebSocketReader()
    reader.receive(frame(b"", BINARY, final=False))
    for _ in range(websocket.MAX_MESSAGE_BYTES // 65536 + 5):
        assert reader.receive(piece) == []
        assert reader.buffered_bytes <= websocket.MAX_MESSAGE_BYTES
    assert reader.buffered_bytes == 0
    assert reader.receive(frame(b"", CONTINUATION) + frame(b"x")) == [Message(b"", "too_long"), Message(b"x")]


def test_a_compressed_message_that_is_too_long_is_read_for_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later messages refer to it."""
    monkeypatch.setattr(websocket, "MAX_MESSAGE_BYTES", 500)
    deflate = Deflater()
    stream = frame(deflate(LONG), compressed=True) + frame(deflate(LONG[:400]), compressed=True)
    assert read([stream], KEEPS) == [Message(b"", "too_long"), Message(LONG[:400])]


def test_a_bomb_is_refused() -> None:
    """A thousand times its size, without end: stopped in time, and never held."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    reader = WebSocketReader(KEEPS)
    reader.receive(frame(b"", final=False, compressed=True))
    with pytest.raises(ProtocolError, match="became more than"):
        for _ in range(100):
            piece = packer.compress(bytes(4 * 1024 * 1024)) + packer.flush(zlib.Z_SYNC_FLUSH)
            reader.receive(frame(piece, CONTINUATION, final=False))
            assert reader.buffered_bytes <= websocket.MAX_MESSAGE_BYTES + ZLIB_BYTES


def test_a_long_session_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratio is that of all its bytes: beyond the size from which it counts, as many messages as come are read."""
    monkeypatch.setattr(websocket, "_RATIO_APPLIES_FROM_BYTES", 64 * 1024)
    deflate, reader, chance = Deflater(), WebSocketReader(KEEPS), random.Random(7)
    for _ in range(50):
        text = chance.randbytes(2000).hex().encode()
        assert reader.receive(frame(deflate(text), compressed=True)) == [Message(text)]


def test_a_frame_may_announce_more_than_there_is_memory() -> None:
    """A length is believed without a byte being set aside for it."""
    reader = WebSocketReader()
    assert reader.receive(b"\x82\x7f\x7f" + b"\xff" * 7 + b"some") == []
    assert reader.buffered_bytes == 4
    assert reader.gap(2**60) == []
    assert not reader.lost


def test_time_grows_with_the_bytes_alone() -> None:
    """A message byte by byte is not copied for each of them."""

    def work(size: int) -> None:
        reader = WebSocketReader()
        stream = frame(bytes(size), masked=True)
        for at in range(len(stream)):
            reader.receive(stream[at : at + 1])

    assert growth(work) < 24


AGREED = {
    "": Agreed(),
    "permessage-deflate": Agreed(client=KEEPS, server=KEEPS),
    "permessage-deflate; server_no_context_takeover": Agreed(client=KEEPS, server=FORGETS),
    "Permessage-Deflate;client_no_context_takeover ; server_max_window_bits=12": Agreed(client=FORGETS, server=KEEPS),
    'permessage-deflate; client_max_window_bits="15"; server_max_window_bits=8': Agreed(client=KEEPS, server=KEEPS),
}


@pytest.mark.parametrize(("header", "expected"), AGREED.items())
def test_what_was_agreed_on(header: str, expected: Agreed) -> None:
    """Each direction has a context of its own."""
    assert agreed(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "x-webkit-deflate-frame",
        "permessage-deflate, permessage-bzip2",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; level=9",
        "permessage-deflate; server_no_context_takeover=1",
    ],
)
def test_an_extension_that_we_do_not_know_is_refused(header: str) -> None:
    """It changes what frames mean, so nothing is guessed."""
    with pytest.raises(ProtocolError):
        agreed(header)


@given(st.lists(st.binary(max_size=300), max_size=6), st.data())
def test_any_messages_in_any_pieces(payloads: list[bytes], data: st.DataObject) -> None:
    """Hypothesis: what was written is read, masked or not, compressed or not, however it is cut."""
    masked, deflate = data.draw(st.booleans()), data.draw(st.sampled_from([None, KEEPS, FORGETS]))
    packer = Deflater(keeps_context=deflate.keeps_context) if deflate else None
    stream = b""
    for payload in payloads:
        packed = packer(payload) if packer else payload
        sizes = data.draw(st.lists(st.integers(0, 50), max_size=3))
        stream += fragments(packed, *sizes, masked=masked, compressed=packer is not None)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    parts = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert read(parts, deflate) == texts(*payloads)


@given(st.lists(st.one_of(st.binary(max_size=60), st.integers(0, 40)), max_size=20), st.sampled_from([None, KEEPS]))
def test_garbage_gives_messages_or_the_parsers_own_error(steps: list[bytes | int], deflate: Deflate | None) -> None:
    """Hypothesis: bytes and gaps in any order, and nothing else is ever raised."""
    reader = WebSocketReader(deflate)
    fed = 0
    try:
        for step in steps:
            fed += len(step) if isinstance(step, bytes) else 0
            reader.receive(step) if isinstance(step, bytes) else reader.gap(step)
            assert deflate or reader.buffered_bytes <= fed
        reader.close()
    except ProtocolError:
        pass


def test_what_zlib_keeps_is_counted_and_only_kept_where_it_is_needed() -> None:
    """Forty KiB for a direction that remembers, from its first compressed byte to its end; none for the others."""
    plain, keeping, forgetting = WebSocketReader(), WebSocketReader(KEEPS), WebSocketReader(FORGETS)
    held = []
    for reader in (plain, keeping, forgetting):
        assert reader.buffered_bytes == 0
        packed = frame(b"x") if reader is plain else frame(Deflater()(LONG), compressed=True)
        assert len(reader.receive(packed)) == 1
        held.append(reader.buffered_bytes)
        reader.close()
        assert reader.buffered_bytes == 0
    assert held == [0, ZLIB_BYTES, 0]


def test_a_fresh_reader_has_lost_nothing() -> None:
    """And nobody has said goodbye yet."""
    reader = WebSocketReader()
    assert (reader.lost, reader.ended, reader.buffered_bytes) == (False, False, 0)


@pytest.mark.parametrize("opcode", [PING, CLOSE])
def test_control_frames_are_never_decompressed(opcode: int) -> None:
    """Not even behind a compressed message: RFC 7692, 6.1; nor does a gap in one cost what compression remembers."""
    deflate = Deflater()
    reader = WebSocketReader(KEEPS)
    assert reader.receive(frame(deflate(b"one"), compressed=True)) == texts(b"one")
    control = frame(b"\x03\xe8 goodbye", opcode)
    assert reader.receive(control[:4]) == []
    assert reader.gap(3) == []
    assert reader.receive(control[7:]) == []
    assert not reader.lost
    if opcode == PING:
        assert reader.receive(frame(deflate(b"two"), compressed=True)) == texts(b"two")
    else:
        assert reader.ended
