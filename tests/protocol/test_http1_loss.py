"""HTTP/1.1 with holes: what is read is right, who asked it is right, and what is not there is told."""

from __future__ import annotations

import pytest

from agent.model import Body, EndOfMessage, HttpEvent, Lost, ProtocolError, RequestHead, ResponseHead
from agent.protocol.headers import KEPT
from agent.protocol.http1 import RequestReader, ResponseReader
from tests.protocol.test_http1 import REQUESTS, summary


def test_a_gap_in_a_body_of_known_length_costs_its_bytes_only() -> None:
    """Arithmetic says where the next message begins; the damaged one is incomplete, the next is not."""
    body = b"0123456789"
    rest = b"GET /next HTTP/1.1\r\n\r\n"
    head = b"POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\n"
    for start in range(len(body)):
        for size in range(1, len(body) - start + 1):
            reader = RequestReader(KEPT)
            events = reader.receive(head + body[:start])
            events += reader.gap(size)
            events += reader.receive(body[start + size :] + rest)
            seen = summary(events)
            assert f"1 lost {size}" in seen
            assert seen[-3:] == ["1 end incomplete", "2 GET /next", "2 end"], (start, size)


def test_a_gap_beyond_the_body_waits_for_the_next_head() -> None:
    """What was lost may hold whole messages; bytes that begin no head are passed over."""
    reader = RequestReader(KEPT)
    events = reader.receive(b"POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\n01")
    events += reader.gap(100)
    events += reader.receive(b"the rest of something")
    events += reader.receive(b"GET /b HTTP/1.1\r\n\r\n")
    assert summary(events) == ["1 POST /a", (1, b"01"), "1 lost 100", "1 end incomplete", "2 GET /b", "2 end"]


def test_a_gap_in_a_chunked_stream_keeps_its_end() -> None:
    """A lost read costs some events; the stream's last ones, with the usage, are still found."""
    reader = ResponseReader(KEPT)
    reader.expect(1, "POST")
    events = reader.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    events += reader.gap(8)
    events += reader.receive(b"3\r\nxyz\r\n0\r\n\r\n")
    assert summary(events) == ["1 200", (1, b"abc"), "1 lost 8", (1, b"xyz"), "1 end incomplete"]


def test_a_message_that_begins_behind_a_gap_ends_the_damaged_one() -> None:
    """Rather give up the old message than read a head as its body."""
    reader = ResponseReader(KEPT)
    reader.expect(1, "POST")
    reader.expect(2, "POST")
    events = reader.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    events += reader.gap(50)
    events += reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    assert summary(events) == ["1 200", (1, b"abc"), "1 lost 50", "1 end incomplete", "2 200", (2, b"x"), "2 end"]


def test_a_gap_anywhere_never_makes_a_complete_message_of_a_damaged_one() -> None:
    """Every position, several sizes: what is called complete has all its bytes; nothing but ProtocolError is raised."""
    bodies = {1: b"hello", 3: b"abc"}
    for start in range(len(REQUESTS)):
        for size in (1, 2, 7, 40):
            reader = RequestReader(KEPT)
            events: list[HttpEvent] = []
            try:
                events += reader.receive(REQUESTS[:start])
                events += reader.gap(size)
                events += reader.receive(REQUESTS[start + size :])
                events += reader.close()
            except ProtocolError:
                continue
            targets = {event.stream_id: event.path for event in events if isinstance(event, RequestHead)}
            for event in events:
                if not isinstance(event, EndOfMessage) or not event.complete:
                    continue
                got = b"".join(b.data for b in events if isinstance(b, Body) and b.stream_id == event.stream_id)
                original = {"/v1/a": 1, "/v1/c": 3}.get(targets[event.stream_id])
                assert original is None or got == bodies[original], (start, size)
                assert not any(isinstance(lost, Lost) and lost.stream_id == event.stream_id for lost in events)


def test_after_a_lost_answer_the_next_one_belongs_to_the_last_request() -> None:
    """Clients do not pipeline: whoever asked before has no answer any more."""
    reader = ResponseReader(KEPT)
    reader.expect(1, "POST")
    reader.expect(2, "HEAD")
    events = reader.gap(80)
    events += reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    reader.expect(3, "POST")
    events += reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    assert summary(events) == ["2 200", "2 end", "3 200", (3, b"x"), "3 end"]


def test_a_loss_disturbs_the_order_of_answers_once() -> None:
    """The next one belongs to the last question; from then on each to its own, or pods would pay for one another's."""
    reader = ResponseReader(KEPT)
    for stream_id in (1, 2):
        reader.expect(stream_id, "POST")
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    events = [*reader.gap(80), *reader.receive(answer)]
    for stream_id in (3, 4):
        reader.expect(stream_id, "POST")
    events += reader.receive(answer + answer)
    assert [event.stream_id for event in events if isinstance(event, ResponseHead)] == [2, 3, 4]


def test_a_head_behind_a_damaged_stream_belongs_to_the_last_request() -> None:
    """How many answers were lost with the stream's end is not known."""
    reader = ResponseReader(KEPT)
    for stream_id in (1, 2, 3):
        reader.expect(stream_id, "POST")
    events = reader.receive(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n0123")
    events += reader.gap(50)
    events += reader.receive(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    assert [event.stream_id for event in events if isinstance(event, ResponseHead)] == [1, 3]


def test_half_a_head_is_forgotten_with_what_was_lost_behind_it() -> None:
    """Its fields are not the next answer's."""
    reader = ResponseReader(KEPT)
    reader.expect(1, "POST")
    reader.receive(b"HTTP/1.1 200 OK\r\nx-request-id: of-another\r\nx-")
    events = reader.gap(20)
    events += reader.receive(b"HTTP/1.1 429 X\r\ncontent-length: 2\r\n\r\n{}")
    assert events[0] == ResponseHead(stream_id=1, status=429, headers={"content-length": "2"})


def test_a_loss_inside_a_body_of_known_length_keeps_pipelined_answers_in_order() -> None:
    """No head can be among what was lost."""
    reader = ResponseReader(KEPT)
    for number in (1, 2, 3):
        reader.expect(number, "POST")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"
    events = reader.receive(answer[:-4])
    events += reader.gap(4)
    events += reader.receive(answer + answer)
    ends = [event for event in events if isinstance(event, EndOfMessage)]
    assert [(event.stream_id, event.complete) for event in ends] == [(1, False), (2, True), (3, True)]


def test_an_interim_answer_behind_a_loss_leaves_the_question_open() -> None:
    """The final one is still to come."""
    reader = ResponseReader(KEPT)
    reader.expect(1, "POST")
    reader.expect(2, "POST")
    reader.gap(10)
    events = reader.receive(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert summary(events) == ["2 200", "2 end"]


def test_a_gap_in_a_body_that_ends_with_the_connection() -> None:
    """Its end is seen, its completeness not."""
    reader = ResponseReader(KEPT)
    reader.expect(1, "GET")
    events = reader.receive(b"HTTP/1.0 200 OK\r\n\r\nabc")
    events += reader.gap(5)
    events += reader.receive(b"def")
    events += reader.close()
    assert summary(events) == ["1 200", (1, b"abc"), "1 lost 5", (1, b"def"), "1 end incomplete"]


def test_a_gap_of_unknown_size_ends_what_it_falls_into() -> None:
    """Arithmetic needs a number."""
    reader = RequestReader(KEPT)
    events = reader.receive(b"POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\n01")
    events += reader.gap(0)
    events += reader.receive(b"GET /b HTTP/1.1\r\n\r\n")
    assert summary(events) == ["1 POST /a", (1, b"01"), "1 lost 0", "1 end incomplete", "2 GET /b", "2 end"]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_nothing_is_lost_where_nothing_is_read(answer: bytes) -> None:
    """Behind an upgrade or a CONNECT a gap, bytes and the end change nothing."""
    reader = ResponseReader(KEPT)
    reader.expect(1, "CONNECT")
    reader.receive(answer)
    assert reader.opaque
    assert [*reader.gap(7), *reader.receive(b"HTTP/1.1 200 OK\r\n\r\n"), *reader.close()] == []


def test_a_gap_anywhere_in_answers_never_makes_a_complete_one_of_a_damaged_one() -> None:
    """As for requests; the answers are pairwise different, so that a mix-up shows."""
    stream = b"".join(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Request-Id: %d\r\n\r\n%d%d%d" % (n, n, n, n)
        if n % 2
        else b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Request-Id: %d\r\n\r\n2\r\n%d%d\r\n1\r\n%d\r\n0\r\n\r\n"
        % (n, n, n, n)
        for n in range(1, 5)
    )
    for start in range(len(stream)):
        for size in (0, 1, 2, 5, 30, 90):
            reader = ResponseReader(KEPT)
            for number in range(1, 5):
                reader.expect(number, "POST")
            events: list[HttpEvent] = []
            try:
                events += reader.receive(stream[:start])
                events += reader.gap(size)
                # A gap of size 0 is one of unknown size: here of 11 bytes.
                events += reader.receive(stream[start + (size or 11) :])
                events += reader.close()
            except ProtocolError:
                continue
            name, got = "", b""
            for event in events:
                if isinstance(event, ResponseHead):
                    name, got = event.headers.get("x-request-id", ""), b""
                elif isinstance(event, Body):
                    got += event.data
                elif isinstance(event, EndOfMessage) and event.complete:
                    assert got == name.encode() * 3, (start, size)


# ------------------------------------------------------------------------------------------------------------ hostile
