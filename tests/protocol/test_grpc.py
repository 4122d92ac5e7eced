"""gRPC's messages: however the bytes are cut, bounded, and honest about what was not read."""

from __future__ import annotations

import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ProtocolError
from agent.protocol.grpc import MAX_MESSAGE_BYTES, GrpcParser, messages
from tests.protocol.cuts import all_ways


def framed(message: bytes, flag: int = 0) -> bytes:
    return bytes([flag]) + len(message).to_bytes(4, "big") + message


def read(parts: list[bytes], encoding: str = "") -> tuple[list[bytes], bool]:
    parser = GrpcParser(encoding)
    found = [item.data for part in parts for item in parser.receive(part)]
    found += [item.data for item in parser.close()]
    return found, parser.damaged


def test_messages_are_found_however_they_are_cut() -> None:
    """Empty ones too, which say that everything is 0."""
    wanted = [b"one", b"", b"\0\0\0\0\x01", b"x" * 300]
    data = b"".join(map(framed, wanted))
    for parts in all_ways(data):
        assert read(parts) == (wanted, False)


def test_compressed_messages() -> None:
    """Each by itself, with a flag; next to plain ones."""
    data = framed(gzip.compress(b"squeezed"), 1) + framed(b"plain")
    for parts in all_ways(data):
        assert read(parts, "gzip") == ([b"squeezed", b"plain"], False)
    assert messages(data) == [b"squeezed", b"plain"], "gzip is known by its first bytes"


def test_a_message_that_is_not_as_its_flag_says_is_left_out() -> None:
    """And told; the next one is read."""
    broken = gzip.compress(b"")[:10] + b"\xff" * 20
    assert read([framed(broken, 1) + framed(b"next")], "gzip") == ([b"next"], True)


def test_a_message_in_an_unknown_coding_is_left_out() -> None:
    """What is compressed is nobody's message, whatever it is compressed with."""
    for encoding in ("", "snappy", "gzip"):
        assert read([framed(b"\x06\x14squeezed", 1) + framed(b"next")], encoding) == ([b"next"], True)


def test_a_message_that_grows_beyond_all_bounds_is_left_out() -> None:
    """Its beginning is no message."""
    assert read([framed(gzip.compress(b"\x0a" * (MAX_MESSAGE_BYTES + 1)), 1)], "gzip") == ([], True)


def test_a_message_without_its_end_is_none() -> None:
    """Cut is not whole."""
    assert read([framed(b"one") + framed(b"two")[:-1]]) == ([b"one"], True)


def test_behind_a_gap_nothing_is_read() -> None:
    """Where a message begins is not known any more."""
    parser = GrpcParser()
    assert len(parser.receive(framed(b"one") + b"\0\0")) == 1
    parser.gap()
    assert parser.receive(framed(b"two")) == []
    assert parser.damaged
    assert not parser.buffered_bytes


def test_what_is_too_large_passes_without_being_kept() -> None:
    """A picture of 20 MB, and what follows it is read."""
    parser = GrpcParser()
    data = framed(b"p" * (20 * 1024**2)) + framed(b"next")
    found = []
    for at in range(0, len(data), 16_384):
        found += [item.data for item in parser.receive(data[at : at + 16_384])]
        assert parser.buffered_bytes <= MAX_MESSAGE_BYTES
    assert (found, parser.damaged) == ([b"next"], True)


def test_what_is_no_message_is_an_error() -> None:
    """The parser's own."""
    with pytest.raises(ProtocolError):
        GrpcParser().receive(b"\x07\0\0\0\x01a")
    assert messages(b"\x07\0\0\0\x01a") == []


@given(st.lists(st.binary(max_size=40), max_size=20), st.sampled_from(["", "gzip", "br", "zstd", "odd"]))
def test_garbage_is_an_error_or_nothing(parts: list[bytes], encoding: str) -> None:
    """In bounded memory."""
    parser = GrpcParser(encoding)
    try:
        for part in parts:
            parser.receive(part)
            assert parser.buffered_bytes <= 800
        parser.close()
    except ProtocolError:
        pass


def test_a_message_as_large_as_may_be() -> None:
    """Is read, however it is sent; one byte more is told."""
    # Half of it is chance, or it would be taken for a bomb before it is too large.
    chance = random.Random(1).randbytes(MAX_MESSAGE_BYTES // 2 + 1).hex().encode()
    for more in (0, 1):
        message = chance[: MAX_MESSAGE_BYTES + more]
        wanted = ([], True) if more else ([message], False)
        assert read([framed(message)]) == wanted
        assert read([framed(gzip.compress(message, 1), 1)], "gzip") == wanted


def test_an_empty_message_needs_no_next_one() -> None:
    """It is given when its last byte has come, not with the next message or never."""
    parser = GrpcParser()
    assert [item.data for item in parser.receive(framed(b""))] == [b""]
    assert parser.buffered_bytes == 0
