"""Both directions of one connection: what the one must know of the other."""

from __future__ import annotations

from agent.model import Direction, EndOfMessage, ResponseHead
from agent.pipeline.wire import Http1Wire
from tests.exchanges import request, response


def ends(events: object) -> list[tuple[int, bool]]:
    assert isinstance(events, list)
    return [
        (event.stream_id, event.complete)
        for event in events
        if isinstance(event, EndOfMessage) and event.side.value == "response"
    ]


def test_http1_answers_belong_to_their_requests_in_order() -> None:
    """Two requests, then two answers."""
    wire = Http1Wire()
    list(wire.receive(Direction.SENT, request() + request()))
    events = list(wire.receive(Direction.RECEIVED, response() + response()))
    assert [event.stream_id for event in events if isinstance(event, ResponseHead)] == [1, 2]
    assert ends(events) == [(1, True), (2, True)]


def test_http1_after_a_loss_a_new_request_ends_what_was_waited_for() -> None:
    """As cut; and what comes then is the new one's."""
    wire = Http1Wire()
    list(wire.receive(Direction.SENT, request()))
    assert list(wire.gap(Direction.RECEIVED, 10)) == []
    assert wire.doubt
    assert ends(list(wire.receive(Direction.SENT, request()))) == [(1, False)]
    assert ends(list(wire.receive(Direction.RECEIVED, response()))) == [(2, True)]


def test_http1_ends_with_an_upgrade_and_keeps_what_came_behind_it() -> None:
    """The head is the last of HTTP; frames behind it are the next protocol's."""
    wire = Http1Wire()
    list(wire.receive(Direction.SENT, request("/x", method="GET", headers="upgrade: x\r\n")))
    assert wire.over == ""
    list(wire.receive(Direction.RECEIVED, b"HTTP/1.1 101 S\r\nupgrade: x\r\n\r\nframes"))
    assert (wire.over, wire.rest(Direction.RECEIVED), wire.rest(Direction.SENT)) == ("upgraded", b"frames", b"")


def test_http1_a_connection_that_ends_ends_the_answer_under_way() -> None:
    """As cut, and nothing is held."""
    wire = Http1Wire()
    list(wire.receive(Direction.SENT, request()))
    list(wire.receive(Direction.RECEIVED, response()[:-4]))
    assert ends(list(wire.close())) == [(1, False)]
    assert wire.buffered_bytes == 0
