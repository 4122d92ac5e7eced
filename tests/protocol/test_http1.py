"""HTTP/1.1 from the side: framing under every cut, every kind of body, and hostile input; tests/protocol/test_http1_loss.py has loss."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Body, EndOfMessage, HttpEvent, ProtocolError, RequestHead, ResponseHead
from agent.protocol.headers import KEPT
from agent.protocol.heads import MAX_HEAD_BYTES
from agent.protocol.http1 import RequestReader, ResponseReader, looks_like_request, looks_like_response
from tests.protocol.cuts import all_ways

REQUESTS = (
    b"POST /v1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    b"\r\n"  # RFC 9112, 2.2
    b"GET /v1/b HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /v1/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    b"HEAD /v1/d HTTP/1.1\r\nHost: x\r\n\r\n"
)
RESPONSES = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n"
    b"HTTP/1.1 204 No Content\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"  # the answer to HEAD has no body
)


def summary(events: Iterable[HttpEvent]) -> list[object]:
    """Heads and ends as they are, bodies joined: how bytes are cut is the reader's own business."""
    out: list[object] = []
    for event in events:
        if isinstance(event, Body):
            if out and isinstance(out[-1], tuple) and out[-1][0] == event.stream_id:
                out[-1] = (event.stream_id, out[-1][1] + event.data)
            else:
                out.append((event.stream_id, event.data))
        elif isinstance(event, RequestHead):
            out.append(f"{event.stream_id} {event.method} {event.path}")
        elif isinstance(event, ResponseHead):
            out.append(f"{event.stream_id} {event.status}")
        elif isinstance(event, EndOfMessage):
            out.append(f"{event.stream_id} end" + ("" if event.complete else " incomplete"))
        else:
            out.append(f"{event.stream_id} lost {event.size}")
    return out


def requests(parts: list[bytes]) -> list[object]:
    reader = RequestReader(KEPT)
    return summary([event for part in parts for event in reader.receive(part)] + reader.close())


def responses(parts: list[bytes], methods: str = "POST GET POST HEAD") -> list[object]:
    reader = ResponseReader(KEPT)
    for number, method in enumerate(methods.split(), 1):
        reader.expect(number, method)
    return summary([event for part in parts for event in reader.receive(part)] + reader.close())


def test_requests_however_they_are_cut() -> None:
    """Keep-alive, lengths, chunks, empty lines between: the same messages under every cut."""
    expected = [
        "1 POST /v1/a", (1, b"hello"), "1 end",
        "2 GET /v1/b", "2 end",
        "3 POST /v1/c", (3, b"abc"), "3 end",
        "4 HEAD /v1/d", "4 end",
    ]  # fmt: skip
    for parts in all_ways(REQUESTS):
        assert requests(parts) == expected, [len(part) for part in parts]


def test_responses_however_they_are_cut() -> None:
    """Interim answers are passed over; 204 and HEAD have no body, whatever they say."""
    expected = [
        "1 200", (1, b"ok"), "1 end",
        "2 200", (2, b"hi"), "2 end",
        "3 204", "3 end",
        "4 200", "4 end",
    ]  # fmt: skip
    for parts in all_ways(RESPONSES):
        assert responses(parts) == expected, [len(part) for part in parts]


def test_a_body_without_length_ends_with_the_connection() -> None:
    """RFC 9112, 6.3, rule 8: and that is a complete message."""
    assert responses([b"HTTP/1.0 200 OK\r\n\r\nabc", b"def"], "GET") == ["1 200", (1, b"abcdef"), "1 end"]


def test_a_connection_that_ends_inside_a_body_leaves_it_incomplete() -> None:
    """Cut is cut."""
    assert responses([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"], "GET") == [
        "1 200",
        (1, b"abc"),
        "1 end incomplete",
    ]
    assert responses([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"], "GET") == [
        "1 200",
        (1, b"ab"),
        "1 end incomplete",
    ]


def test_an_answer_nobody_asked_for_is_read_for_its_framing() -> None:
    """We joined in between: its stream id is 0, and the next answer is found."""
    reader = ResponseReader(KEPT)
    events = reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
    reader.expect(7, "GET")
    events += reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    assert summary(events) == ["0 200", (0, b"abc"), "0 end", "7 200", (7, b"x"), "7 end"]


@pytest.mark.parametrize(
    "request_bytes", [b"CONNECT api.openai.com:443 HTTP/1.1\r\nHost: x\r\n\r\n\x16\x03\x01garbage"]
)
def test_after_connect_nothing_is_read(request_bytes: bytes) -> None:
    """What follows is another protocol."""
    reader = RequestReader(KEPT)
    assert summary(reader.receive(request_bytes)) == ["1 CONNECT api.openai.com:443", "1 end"]
    assert reader.opaque


def test_after_an_upgrade_nothing_is_read() -> None:
    """101: WebSocket frames are not HTTP/1."""
    reader = ResponseReader(KEPT)
    reader.expect(1, "GET")
    assert summary(reader.receive(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x05hello")) == [
        "1 101",
        "1 end",
    ]
    assert reader.opaque


# --------------------------------------------------------------------------------------------------------------- loss


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1e9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"NONSENSE\r\n\r\n",
    ],
)
def test_wrong_framing_is_a_protocol_error(head: bytes) -> None:
    """One connection is given up; nothing is guessed."""
    with pytest.raises(ProtocolError):
        RequestReader(KEPT).receive(head)


def test_an_endless_head_is_refused() -> None:
    """Bounded memory."""
    reader = RequestReader(KEPT)
    with pytest.raises(ProtocolError, match="head longer"):
        for _ in range(MAX_HEAD_BYTES // 1000 + 2):
            reader.receive(b"GET / HTTP/1.1\r\nX: " + b"x" * 1000)


def test_endless_pipelining_is_refused() -> None:
    """A client that never reads answers is not remembered for ever."""
    reader = ResponseReader(KEPT)
    with pytest.raises(ProtocolError, match="without an answer"):
        for number in range(1000):
            reader.expect(number, "GET")


@given(
    st.lists(
        st.one_of(st.binary(max_size=60), st.integers(0, 50), st.sampled_from([REQUESTS[:70], RESPONSES[:60]])),
        max_size=12,
    )
)
def test_garbage_and_gaps_raise_nothing_else(parts: list[bytes | int]) -> None:
    """Events, or ProtocolError."""
    for reader in (RequestReader(KEPT), ResponseReader(KEPT)):
        try:
            for part in parts:
                reader.gap(part) if isinstance(part, int) else reader.receive(part)
            reader.close()
        except ProtocolError:
            pass


def test_first_bytes_tell_requests_from_everything_else() -> None:
    """What verdicts are made of."""
    assert looks_like_request(b"POST /v1")
    assert not looks_like_request(b"\x16\x03\x01\x02\x00")
    assert not looks_like_request(b"PRI * HTTP/2.0")
    assert looks_like_response(b"HTTP/1.1 200 OK")
    assert not looks_like_response(b"HTTP/2 200")
