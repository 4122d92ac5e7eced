"""HTTP/2 through the whole core: every stream a call of its own, whatever happens to the others."""

from __future__ import annotations

import json

import pytest

from agent.model import ConnId, Direction, Evidence, Judgement, Outcome, PricedCall, Quarantined, Unsupported
from agent.pipeline.exchange import FIXED_BYTES
from agent.protocol.http2_frames import PREFACE
from tests.exchanges import CHAT_ANSWER, Wire, pipeline, request
from tests.pipeline.test_connection import verdicts
from tests.pipeline.test_session import CREATED, DONE
from tests.protocol.cuts import bytewise, every_cut_in_two, random_cuts
from tests.protocol.http2_talk import Talk
from tests.protocol.websocket_frames import frame

ASK = json.dumps({"model": "gpt-4o-mini", "messages": []}).encode()
ANSWER = json.dumps(CHAT_ANSWER).encode()
EVENTS = [
    b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"x"}}],"usage":null}\n\n',
    b'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}}\n\n',
    b"data: [DONE]\n\n",
]


def answer(number: int) -> bytes:
    return json.dumps(CHAT_ANSWER | {"id": f"chatcmpl-{number}"}).encode()


class Both:
    """A client, a server, and the connection between them as we see it."""

    def __init__(self, wire: Wire | None = None) -> None:
        self.client, self.server, self.wire = Talk(), Talk(), wire or Wire()

    def begin(self) -> Both:
        self.wire.send(self.client.preface()).receive(self.server.settings())
        return self

    def ask(self, stream_id: int, body: bytes = ASK, **how: object) -> Both:
        head = self.client.request(stream_id, **how)  # type: ignore[arg-type]
        self.wire.send(head + self.client.data(stream_id, body, end=True))
        return self

    def answer(self, stream_id: int, body: bytes = ANSWER, **how: object) -> Both:
        head = self.server.response(stream_id, **how)  # type: ignore[arg-type]
        self.wire.receive(head + self.server.data(stream_id, body, end=True))
        return self


def test_a_call_over_http2_is_a_call() -> None:
    """Judged by its host, with the provider's names and count."""
    both = Both().begin().ask(1).answer(1, extra=[("x-request-id", "req_9")])
    (call,) = both.wire.calls
    assert (call.provider, call.api, call.host, call.status) == ("openai", "openai/chat", "api.openai.com", 200)
    assert (call.request_id, call.outcome, call.stream_id) == ("req_9", Outcome.OK, 1)
    assert call.reading.evidence is Evidence.REPORTED
    assert verdicts(both.wire) == [(Judgement.WATCH, "known_host")]


def test_splitting_a_connection_never_changes_its_calls() -> None:
    """Byte by byte, every cut in two, random cuts of both directions: two streams, woven."""
    client, server = Talk(), Talk()
    sent = client.preface() + client.request(1) + client.request(3) + client.data(3, ASK, end=True)
    sent += client.data(1, ASK, end=True)
    received = server.settings() + server.response(3) + server.response(1, extra=[("x-request-id", "r")])
    received += b"".join(server.data(3, event) + server.data(1, ANSWER[:9]) for event in EVENTS[:1])
    received += b"".join(server.data(3, event) for event in EVENTS[1:]) + server.data(3, b"", end=True)
    received += server.data(1, ANSWER[9:], end=True)
    expected = [call.reading for call in Wire().send(sent).receive(received).calls]
    assert [reading.evidence for reading in expected] == [Evidence.REPORTED] * 2
    for parts in [bytewise(sent), *list(every_cut_in_two(sent))[::5], *random_cuts(sent, rounds=20)]:
        wire = Wire().send(*[part for part in parts if part]).receive(received)
        assert [call.reading for call in wire.calls] == expected
    for parts in [bytewise(received), *list(every_cut_in_two(received))[::5], *random_cuts(received, rounds=20)]:
        wire = Wire().send(sent).receive(*[part for part in parts if part])
        assert [call.reading for call in wire.calls] == expected


def test_many_streams_at_once_keep_apart() -> None:
    """A hundred questions, answered in another order, each in pieces between the others' pieces."""
    both = Both().begin()
    ids = range(1, 200, 2)
    for stream_id in ids:
        both.ask(stream_id, json.dumps({"model": f"m{stream_id}"}).encode())
    for stream_id in reversed(ids):
        both.wire.receive(both.server.response(stream_id))
    for part in range(4):
        for stream_id in ids:
            data = answer(stream_id)
            piece = data[part * 100 :] if part == 3 else data[part * 100 : part * 100 + 100]
            both.wire.receive(both.server.data(stream_id, piece, end=part == 3))
    seen = {call.stream_id: (call.reading.requested_model, call.reading.response_id) for call in both.wire.calls}
    assert seen == {stream_id: (f"m{stream_id}", f"chatcmpl-{stream_id}") for stream_id in ids}


def test_a_stream_that_the_client_resets_is_cut() -> None:
    """With what was known, and the others go on; after [DONE] it had the whole answer."""
    both = Both().begin().ask(1).ask(3).ask(5)
    for stream_id in (1, 3):
        both.wire.receive(both.server.response(stream_id) + both.server.data(stream_id, EVENTS[0]))
    both.wire.send(both.client.reset(1))
    both.wire.receive(b"".join(both.server.data(3, event) for event in EVENTS[1:])).send(both.client.reset(3))
    both.answer(5)
    assert [(call.stream_id, call.outcome, call.reading.evidence) for call in both.wire.calls][1:] == [
        (3, Outcome.CUT, Evidence.REPORTED),
        (5, Outcome.OK, Evidence.REPORTED),
    ]
    first = both.wire.calls[0]
    assert (first.stream_id, first.outcome) == (1, Outcome.CUT)
    assert first.reading.evidence is not Evidence.REPORTED


def test_what_a_server_refuses_costs_nothing_and_is_asked_again() -> None:
    """REFUSED_STREAM and GOAWAY say that nothing was done; a reset says nothing of the kind."""
    both = Both().begin().ask(1).ask(3).ask(5)
    both.wire.receive(both.server.reset(3, 7)).receive(both.server.goaway(1)).receive(both.server.reset(1, 2))
    told = [(call.stream_id, call.status, call.outcome, call.reading.evidence) for call in both.wire.calls]
    assert told == [
        (3, 0, Outcome.CUT, Evidence.NOT_APPLICABLE),
        (5, 0, Outcome.CUT, Evidence.NOT_APPLICABLE),
        (1, 0, Outcome.CUT, Evidence.ABSENT),
    ]


def test_a_connection_that_ends_tells_all_its_streams() -> None:
    """As cut, each once."""
    both = Both().begin().ask(1).ask(3)
    both.wire.receive(both.server.response(1) + both.server.data(1, ANSWER[:50])).close()
    assert [(call.stream_id, call.outcome) for call in both.wire.calls] == [(1, Outcome.CUT), (3, Outcome.CUT)]


def test_bytes_lost_in_one_stream_leave_the_others() -> None:
    """Inside DATA: its call is partial, the other one reported."""
    both = Both().begin().ask(1).ask(3)
    data = both.server.response(1) + both.server.data(1, ANSWER, end=True)
    both.wire.receive(data[:-120]).lose(Direction.RECEIVED, 60).receive(data[-60:])
    both.answer(3)
    first, second = both.wire.calls
    assert (first.stream_id, first.lost_bytes, first.outcome) == (1, 60, Outcome.CUT)
    assert first.reading.evidence is not Evidence.REPORTED
    assert (second.lost_bytes, second.reading.evidence) == (0, Evidence.REPORTED)


def test_frames_lost_leave_what_begins_later() -> None:
    """Who was under way misses some; whoever asks then is whole again."""
    both = Both().begin().ask(1)
    both.wire.receive(both.server.response(1) + both.server.data(1, ANSWER[:50]))
    both.wire.lose(Direction.RECEIVED, 5000)
    both.wire.receive(both.server.data(1, ANSWER[90:], end=True))
    both.ask(3).answer(3)
    first, second = both.wire.calls
    assert (first.stream_id, first.lost_bytes, first.outcome) == (1, 5000, Outcome.CUT)
    assert first.reading.evidence is not Evidence.REPORTED
    assert (second.outcome, second.reading.evidence) == (Outcome.OK, Evidence.REPORTED)


# ------------------------------------------------------------------------------------------------------ how it begins


def test_the_server_may_be_heard_first() -> None:
    """Its settings can be read before our side writes."""
    both = Both()
    both.wire.receive(both.server.settings()).send(both.client.preface())
    both.ask(1).answer(1)
    assert [call.reading.evidence for call in both.wire.calls] == [Evidence.REPORTED]


def test_http2_after_an_upgrade() -> None:
    """h2c (RFC 7540, 3.2): stream 1 answers the request that was HTTP/1; then it is HTTP/2."""
    both = Both()
    both.wire.send(
        request(headers="connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n")
    )
    both.wire.receive(b"HTTP/1.1 101 S\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n" + both.server.settings())
    both.wire.send(both.client.preface())
    both.answer(1).ask(3).answer(3)
    assert [(call.stream_id, call.reading.evidence) for call in both.wire.calls] == [
        (1, Evidence.REPORTED),
        (3, Evidence.REPORTED),
    ]


def test_a_server_is_refused() -> None:
    """Ours receives the preface; or, joined in the middle, the questions."""
    assert verdicts(Wire().receive(Talk().preface())) == [(Judgement.IGNORE, "server_side")]
    client = Talk()
    assert verdicts(Wire().receive(client.request(5) + client.data(5, ASK, end=True))) == [
        (Judgement.IGNORE, "server_side")
    ]
    server = Talk()
    assert verdicts(Wire().send(server.response(5) + server.data(5, ASK, end=True))) == [
        (Judgement.IGNORE, "server_side")
    ]


def test_frames_that_make_no_sense_cost_the_connection() -> None:
    """A quarantine, with what was under way told as cut."""
    both = Both().begin().ask(1)
    both.wire.receive(both.server.response(1, pieces=2)[:-5] + both.server.ping())
    assert [call.outcome for call in both.wire.calls] == [Outcome.CUT]
    assert [output.reason for output in both.wire.outputs if isinstance(output, Quarantined)] == ["protocol_error"]


def test_other_business_is_given_up_as_over_http1() -> None:
    """An unknown host with other paths; a known provider's other APIs are told."""
    both = Both().begin()
    for number in range(5):
        both.ask(2 * number + 1, path="/api/orders", host="shop.example").answer(2 * number + 1)
    assert verdicts(both.wire) == [(Judgement.IGNORE, "unknown_api")]
    both = Both().begin().ask(1, path="/v1/files").answer(1)
    assert [output.path for output in both.wire.outputs if isinstance(output, Unsupported)] == ["/v1/files"]


@pytest.mark.parametrize("begins", [PREFACE[:9], PREFACE[:3]])
def test_a_preface_in_pieces_is_a_preface(begins: bytes) -> None:
    """However short the first one is."""
    both = Both()
    data = both.client.preface() + both.client.request(1) + both.client.data(1, ASK, end=True)
    both.wire.send(begins, data[len(begins) :])
    both.answer(1)
    assert [call.reading.evidence for call in both.wire.calls] == [Evidence.REPORTED]


WEBSOCKET = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "api.openai.com")]


def test_a_websocket_in_a_stream_is_read() -> None:
    """Extended CONNECT (RFC 8441): its turns are calls, as are the connection's other streams; its end tells what is under way."""
    both = Both().begin()
    both.wire.send(both.client.head(1, [*WEBSOCKET, (":path", "/v1/realtime?model=m")]))
    both.wire.receive(both.server.head(1, [(":status", "200")]))
    ask = frame(b'{"type":"response.create"}', masked=True)
    both.wire.send(both.client.data(1, ask[:9]), both.client.data(1, ask[9:]))
    both.ask(3)
    said, again = frame(CREATED) + frame(DONE), CREATED.replace(b"resp_1", b"resp_2")
    both.wire.receive(both.server.data(1, said[:50]))
    both.answer(3)
    both.wire.receive(both.server.data(1, said[50:]), both.server.data(1, frame(again)), both.server.reset(1))
    told = [(call.api, call.outcome, call.reading.evidence) for call in both.wire.calls]
    assert told == [
        ("openai/chat", Outcome.OK, Evidence.REPORTED),
        ("openai/realtime", Outcome.OK, Evidence.REPORTED),
        ("openai/realtime", Outcome.CUT, Evidence.ABSENT),
    ]


def test_a_websocket_in_a_stream_counts_as_memory() -> None:
    """A message under way is held, as on a connection of its own, so the budget knows of it."""
    both = Both().begin()
    both.wire.send(both.client.head(1, [*WEBSOCKET, (":path", "/v1/realtime?model=m")]))
    both.wire.receive(both.server.head(1, [(":status", "200")]))
    (connection,) = both.wire.core._connections.values()
    before = connection.buffered_bytes
    both.wire.receive(
        *(both.server.data(1, part) for part in (b"\x81\x7f" + (90_000).to_bytes(8, "big"), b"x" * 60_000))
    )
    assert connection.buffered_bytes >= before + 60_000


def test_a_websocket_of_others_in_a_stream_is_told() -> None:
    """Where the provider is known; and one that is refused is an exchange."""
    both = Both().begin()
    both.wire.send(both.client.head(1, [*WEBSOCKET, (":path", "/v1/other")]) + both.client.data(1, b"\x81\x85mask"))
    both.answer(1, b"\x81\x05hello")
    (told,) = [output for output in both.wire.outputs if isinstance(output, Unsupported)]
    assert (told.path, told.status) == ("/v1/other", 200)
    both.wire.send(both.client.head(3, [*WEBSOCKET, (":path", "/v1/realtime?model=m")]))
    both.answer(3, b'{"error":{"code":"invalid_api_key"}}', status=401)
    (call,) = both.wire.calls
    assert (call.api, call.status, call.reading.error) == ("openai/realtime", 401, "invalid_api_key")


def test_bytes_lost_in_a_stream_end_its_websocket() -> None:
    """Where the next message begins is not known; the connection's other streams go on."""
    both = Both().begin()
    both.wire.send(both.client.head(1, [*WEBSOCKET, (":path", "/v1/realtime?model=m")]))
    both.wire.receive(both.server.head(1, [(":status", "200")]) + both.server.data(1, frame(CREATED)))
    data = both.server.data(1, frame(DONE))
    both.wire.receive(data[:20]).lose(Direction.RECEIVED, 30).receive(data[50:])
    both.ask(3).answer(3)
    first, second = both.wire.calls
    assert (first.api, first.outcome, first.lost_bytes) == ("openai/realtime", Outcome.CUT, 30)
    assert (second.api, second.reading.evidence) == ("openai/chat", Evidence.REPORTED)


def test_a_server_that_is_heard_first_in_pieces_costs_nothing() -> None:
    """Its settings' header is read alone, before our side writes: what it says later is found."""
    both = Both()
    settings = both.server.settings()
    both.wire.receive(settings[:9], settings[9:]).send(both.client.preface())
    both.ask(1).answer(1)
    assert [call.reading.evidence for call in both.wire.calls] == [Evidence.REPORTED]


# --------------------------------------------------------------------------------------------------------- how many


def test_streams_of_many_connections_keep_to_the_budget() -> None:
    """A hundred streams on each of a hundred connections, with bodies that never end: the largest pay, and it is told."""
    budget = 16 * 1024 * 1024
    core = pipeline(max_buffered_bytes=budget)
    for number in range(100):
        both = Both(Wire(core, ConnId(pid=number, pointer=number, born_ns=1))).begin()
        for stream_id in range(1, 200, 2):
            both.wire.send(both.client.request(stream_id) + both.client.data(stream_id, b'{"x":"' + b"y" * 8000))
        told = [output.reason for output in both.wire.outputs if isinstance(output, Quarantined)]
        assert set(told) <= {"memory"}
        held = sum(connection.buffered_bytes for connection in core._connections.values())
        assert held < budget * 1.2
    assert core.open_connections == 100


def test_ten_thousand_streams_on_one_connection() -> None:
    """All open at once: each its own call, and what they hold is known and bounded."""
    core = pipeline()
    both = Both(Wire(core)).begin()
    ids = range(1, 20_001, 2)
    for stream_id in ids:
        both.wire.send(both.client.request(stream_id) + both.client.data(stream_id, ASK, end=True))
    (connection,) = core._connections.values()
    assert 10_000 * FIXED_BYTES < connection.buffered_bytes < 64 * 1024 * 1024
    for stream_id in ids:
        both.wire.receive(both.server.response(stream_id) + both.server.data(stream_id, ANSWER, end=True))
    calls = [output.call for output in both.wire.outputs if isinstance(output, PricedCall)]
    assert [call.stream_id for call in calls] == list(ids)
    assert {call.outcome for call in calls} == {Outcome.OK}
    assert connection.buffered_bytes < 100_000
