"""HTTP/2 with holes, and joined in the middle: what is read is right, and what is not is told."""

from __future__ import annotations

import pytest

from agent.model import Body, HttpEvent, Lost, ProtocolError, RequestHead, ResponseHead, Side
from agent.protocol.headers import KEPT
from agent.protocol.http2 import MAX_SILENCE_STREAMS, RequestReader, Streams
from agent.protocol.http2_frames import MAX_WRONG_GUESSES
from tests.protocol.http2_talk import Talk, ends, open_streams

LONG = [(f"x-long-{number}", "v" * 60) for number in range(12)]


def test_bytes_lost_inside_data_cost_only_themselves() -> None:
    """The frame's length says where the next begins: heads, table and other streams are whole."""
    _, _, responses, _, server = open_streams(2)
    first = server.response(1) + server.data(1, b"a" * 100)
    responses.receive(first[:-60])
    (lost,) = responses.gap(50)
    assert lost == Lost(stream_id=1, side=Side.RESPONSE, size=50)
    events = responses.receive(
        first[-10:] + server.response(3, extra=[("x-request-id", "r")]) + server.data(3, b"b", end=True)
    )
    events += responses.receive(server.data(1, b"c", end=True))
    assert [event.data for event in events if isinstance(event, Body)] == [b"a" * 10, b"b", b"c"]
    assert [event.headers["x-request-id"] for event in events if isinstance(event, ResponseHead)] == ["r"]
    assert ends(events) == [(3, Side.RESPONSE, True, False), (1, Side.RESPONSE, False, False)]


def test_bytes_lost_of_a_request_are_told_at_its_end() -> None:
    """Its framing ends well, and it is not whole: what it asked for is not taken for all that it asked for."""
    _, requests, _, client, _ = open_streams(0)
    first = client.request(1) + client.data(1, b"a" * 100)
    requests.receive(first[:-60])
    (lost,) = requests.gap(50)
    assert lost == Lost(stream_id=1, side=Side.REQUEST, size=50)
    events = requests.receive(first[-10:] + client.data(1, b"b", end=True))
    assert ends(events) == [(1, Side.REQUEST, False, False)]


def test_a_request_may_end_with_trailers() -> None:
    """And one that a header block does not end goes on."""
    _, requests, _, client, _ = open_streams(0)
    events = requests.receive(
        client.request(1)
        + client.head(1, [("x-late", "1")])
        + client.data(1, b"{}")
        + client.head(1, [("x", "1")], end=True)
    )
    assert [event.data for event in events if isinstance(event, Body)] == [b"{}"]
    assert ends(events) == [(1, Side.REQUEST, True, False)]


def test_the_end_of_a_frame_that_was_lost_is_known() -> None:
    """END_STREAM stands in the header; so does the padding's length, if it came."""
    for keep in (0, 1, 5):
        _, _, responses, _, server = open_streams(1)
        frame = server.data(1, b"0123456789", end=True, pad=4)
        responses.receive(server.response(1) + frame[: 9 + keep])
        events = responses.gap(len(frame) - 9 - keep)
        assert ends(events) == [(1, Side.RESPONSE, False, False)]
        assert isinstance(events[0], Lost)


def test_a_lost_head_leaves_its_body() -> None:
    """The answer has no status, and its body is read; later heads miss what was said before."""
    _, _, responses, _, server = open_streams(2)
    responses.receive(server.response(3, extra=[("x-request-id", "same")]))
    head = server.response(1, extra=LONG)
    responses.receive(head[:20])
    responses.gap(len(head) - 20)
    events = responses.receive(server.data(1, b"body", end=True))
    assert events[0] == ResponseHead(stream_id=1, status=0, headers={})
    assert events[1] == Body(stream_id=1, side=Side.RESPONSE, data=b"body")
    assert ends(events) == [(1, Side.RESPONSE, False, False)]
    assert ends(responses.receive(server.data(3, b"", end=True))) == [(3, Side.RESPONSE, True, False)]


def test_after_a_gap_over_frames_the_next_boundary_is_found() -> None:
    """Wherever the gap begins and ends: every stream may miss something; what begins later is read."""
    whole = open_streams(3)[4]
    frames = [
        whole.response(1),
        whole.data(1, b"x" * 300),
        whole.response(3),
        whole.data(3, b'{"text":"abc"}' * 20, end=True),
    ]
    said = b"".join(frames)
    tail = whole.response(5, extra=[("x-request-id", "new")]) + whole.data(5, b"tail", end=True) + whole.ping()
    for begin in range(0, len(said), 13):
        for end in range(begin + 1, len(said), 29):
            responses = open_streams(3)[2]
            responses.receive(said[:begin])
            lost = responses.gap(end - begin)
            events = responses.receive(said[end:] + tail)
            assert [event.data for event in events if isinstance(event, Body) and event.stream_id == 5] == [b"tail"]
            assert [one for one in ends(events) if one[0] == 5]
            assert sum(event.size for event in [*lost, *events] if isinstance(event, Lost)) <= end - begin


def test_who_is_silent_after_a_loss_is_not_waited_for() -> None:
    """Its end may have been lost; it is told as cut when many have come and gone."""
    streams, requests, responses, client, server = open_streams(1)
    responses.receive(server.response(1) + server.data(1, b"x"))
    responses.gap(0)
    assert list(streams.open) == [1]
    events: list[HttpEvent] = []
    for number in range(1, MAX_SILENCE_STREAMS + 2):
        events += requests.receive(client.request(2 * number + 1, end=True))
        events += responses.receive(server.response(2 * number + 1, end=True))
    assert (1, Side.RESPONSE, False, False) in ends(events)
    assert not streams.open


# -------------------------------------------------------------------------------------------------- joined in between


def test_joining_at_any_frame_reads_every_later_request() -> None:
    """With its path and host where they are said anew, and ``missing`` where they are not: never wrong."""
    client = Talk()
    frames = [client.preface(), client.window()]
    for number in range(12):
        stream_id, model = 2 * number + 1, f"model-{number}"
        host = f"host-{number % 3}.example"
        frames.append(client.request(stream_id, f"/v1/path-{number % 2}", host, [("x-request-id", model)]))
        frames.append(client.data(stream_id, model.encode(), end=True))
    for start in range(2, len(frames)):
        reader = RequestReader(Streams(), KEPT)
        events = [event for frame in frames[start:] for event in reader.receive(frame)]
        heads = [event for event in events if isinstance(event, RequestHead)]
        assert len(heads) == (len(frames) - start) // 2
        for head in heads:
            number = head.stream_id // 2
            assert head.target in ("", f"/v1/path-{number % 2}")
            assert head.host in ("", f"host-{number % 3}.example")
            assert head.missing == (not head.target or not head.host)
            assert head.headers.get("x-request-id") in (None, f"model-{number}")
        assert [head for head in heads if head.missing] == [] or start > 2


def test_guessing_wrong_again_and_again_costs_the_connection() -> None:
    """Frames that make sense until there are many streams, and then none, over and over: each time all would be told of a loss."""
    client, reader = Talk(), RequestReader(Streams(), KEPT)
    told = 0
    with pytest.raises(ProtocolError):
        for number in range(10_000):
            frames = b"".join(client.request(2 * (3 * number + one) + 1) for one in range(3))
            told += len(reader.receive(frames)) + len(reader.receive(b"\xff" * 40))
    assert told < 100 * MAX_WRONG_GUESSES**2


def test_joining_inside_a_frame_finds_the_next_one() -> None:
    """At every byte of a long text in DATA: what follows is read, nothing of the frame is."""
    client = Talk()
    client.preface()
    running = client.data(1, b'{"content":"some long text, some more"}' * 5, end=True)
    later = client.request(3) + client.data(3, b"{}", end=True)
    for start in range(1, len(running)):
        reader = RequestReader(Streams(), KEPT)
        events = reader.receive(running[start:] + later)
        assert [event.stream_id for event in events] == [3, 3, 3], start


def test_a_boundary_is_found_where_its_header_is_cut() -> None:
    """Its beginning is kept while the rest has not come."""
    client = Talk()
    client.preface()
    running = client.data(1, b'{"content":"some long text, some more"}' * 5, end=True)[20:]
    later = client.request(3) + client.data(3, b"{}", end=True)
    for cut in range(len(running), len(running) + 9):
        reader = RequestReader(Streams(), KEPT)
        events = reader.receive((running + later)[:cut]) + reader.receive((running + later)[cut:])
        assert [event.stream_id for event in events] == [3, 3, 3], cut - len(running)
