"""Chunked bodies: one loop for many chunks, exact under every cut, findable again after loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ProtocolError
from agent.protocol.chunked import ChunkedReader
from tests.protocol.cuts import all_ways

STREAM = b'5\r\nhello\r\n1;name="v"\r\n,\r\nA\r\n 012345678\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n'
BODY = b"hello, 012345678"


def read(parts: list[bytes]) -> tuple[bytes, bool, bytes]:
    reader = ChunkedReader()
    body, rest = b"", b""
    for part in parts:
        if reader.done:
            rest += part
        else:
            body += reader.receive(part)
    return body, reader.done, reader.rest + rest


def test_splitting_never_changes_the_body() -> None:
    """Extensions, trailers, and what follows the message, cut anywhere."""
    for parts in all_ways(STREAM + b"HTTP/1.1 200 OK"):
        assert read(parts) == (BODY, True, b"HTTP/1.1 200 OK"), [len(part) for part in parts]


def test_a_gap_inside_a_chunk_costs_its_bytes_only() -> None:
    """The chunk's size says where it goes on."""
    reader = ChunkedReader()
    body = reader.receive(b"a\r\n01")
    reader.gap(5)
    body += reader.receive(b"789\r\n2\r\nxy\r\n0\r\n\r\n")
    assert (body, reader.done) == (b"01789xy", True)


def test_a_gap_over_a_boundary_resumes_at_the_next_chunk() -> None:
    """A lost read is usually some whole chunks: the next bytes begin with a size line."""
    reader = ChunkedReader()
    body = reader.receive(b"3\r\nabc\r\n")
    reader.gap(20)
    body += reader.receive(b"3\r\nxyz\r\n0\r\n\r\n")
    assert (body, reader.done) == (b"abcxyz", True)


def test_after_a_gap_bytes_that_begin_no_chunk_are_passed_over() -> None:
    """Nothing is read as a size that is none."""
    reader = ChunkedReader()
    reader.gap(7)
    assert reader.receive(b"end of some chunk\r\n") == b""
    assert reader.receive(b"2\r\nok\r\n") == b"ok"


@pytest.mark.parametrize("bad", [b"xyz\r\n", b"-5\r\nhello\r\n", b"\r\n\r\n", b"0x5\r\nhello\r\n", b"5_0\r\n"])
def test_a_wrong_size_is_a_protocol_error(bad: bytes) -> None:
    """Also what Python would take for a number."""
    with pytest.raises(ProtocolError):
        ChunkedReader().receive(bad)


@pytest.mark.parametrize(
    ("start", "filler"),
    [(b"", b"1" * 1000), (b"5;", b"x" * 1000), (b"0\r\n", b"t" * 1000)],
    ids=["size", "extension", "trailer"],
)
def test_endless_lines_are_refused(start: bytes, filler: bytes) -> None:
    """Every line that is waited for has a bound."""
    reader = ChunkedReader()
    reader.receive(start)
    with pytest.raises(ProtocolError):
        for _ in range(100):
            reader.receive(filler)


@given(st.lists(st.binary(min_size=1, max_size=50)), st.data())
def test_any_body_comes_back(chunks: list[bytes], data: st.DataObject) -> None:
    """Whatever the chunks hold, also CR LF and digits."""
    stream = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    cut = data.draw(st.integers(0, len(stream)))
    assert read([stream[:cut], stream[cut:]])[:2] == (b"".join(chunks), True)


@given(st.lists(st.one_of(st.binary(max_size=30), st.integers(0, 40)), max_size=20))
def test_garbage_and_gaps_raise_nothing_else(parts: list[bytes | int]) -> None:
    """Bytes, or ProtocolError."""
    reader = ChunkedReader()
    try:
        for part in parts:
            if isinstance(part, int):
                reader.gap(part)
            elif not reader.done:
                reader.receive(part)
    except ProtocolError:
        pass
