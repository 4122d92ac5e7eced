"""A WebSocket after its handshake: turns as they end, loss told, other people's sockets let go, nothing without bound."""

from __future__ import annotations

import pytest

from agent.dialects import GeminiLive, OpenAiRealtime, OpenAiResponsesSocket
from agent.dialects.base import SessionDialect
from agent.estimation.counting import ByCharacters, Tokenizer
from agent.model import Call, Direction, Evidence, Outcome, ProtocolError, RequestHead, ResponseHead
from agent.pipeline.session import FIXED_BYTES, MAX_UNKNOWN_BYTES, MAX_UNKNOWN_MESSAGES, Session
from agent.protocol.websocket import MAX_MESSAGE_BYTES
from tests.exchanges import CONN
from tests.protocol.websocket_frames import CLOSE, Deflater, frame

USAGE = b'{"input_tokens":5,"output_tokens":3,"total_tokens":8}'
CREATED = b'{"type":"response.created","response":{"id":"resp_1","status":"in_progress","usage":null}}'
DONE = b'{"type":"response.done","response":{"id":"resp_1","status":"completed","usage":' + USAGE + b"}}"
SENT, RECEIVED = Direction.SENT, Direction.RECEIVED


class Talk:
    """Feeds one session and keeps what came of it."""

    def __init__(
        self,
        kind: type[SessionDialect] = OpenAiRealtime,
        provider: str = "openai",
        extensions: str = "",
        tokenizer: Tokenizer | None = None,
    ) -> None:
        request = RequestHead(
            stream_id=3, method="GET", target="/v1/realtime?model=m", headers={"host": "api.openai.com"}
        )
        headers = {"x-request-id": "req_1", "openai-organization": "acme", "sec-websocket-extensions": extensions}
        response = ResponseHead(stream_id=3, status=101, headers=headers)
        self.session = Session(request, response, kind, provider, tokenizer)
        self.at_ns = 0
        self.calls: list[Call] = []

    def hear(self, *frames: bytes) -> Talk:
        for data in frames:
            self._keep(self.session.receive(RECEIVED, data, self._now()))
        return self

    def say(self, *payloads: bytes) -> Talk:
        for payload in payloads:
            self._keep(self.session.receive(SENT, frame(payload, masked=True), self._now()))
        return self

    def lose(self, direction: Direction, size: int) -> Talk:
        self._keep(self.session.gap(direction, size, self._now()))
        return self

    def end(self) -> Talk:
        self._keep(self.session.close())
        return self

    def _now(self) -> int:
        self.at_ns += 10
        return self.at_ns

    def _keep(self, turns: object) -> None:
        self.calls += [self.session.call(turn, CONN, 77, self.at_ns) for turn in turns]  # type: ignore[attr-defined]


def test_a_turn_is_a_call_with_times_and_the_handshakes_names() -> None:
    """Asked, first token, end; the handshake's number and request id; later turns count on."""
    delta = b'{"type":"response.output_text.delta","response_id":"resp_1","delta":"x"}'
    talk = Talk().say(b'{"type":"response.create"}').hear(frame(CREATED), frame(delta), frame(DONE))
    talk.hear(frame(DONE.replace(b"resp_1", b"resp_2")))
    first, second = talk.calls
    assert (first.started_at_ns, first.first_token_at_ns, first.first_byte_at_ns, first.ended_at_ns) == (10, 30, 30, 40)
    assert (first.stream_id, second.stream_id) == (3, 4)
    assert (first.api, first.host, first.status, first.request_id) == (
        "openai/realtime",
        "api.openai.com",
        101,
        "req_1",
    )
    assert (first.outcome, first.reading.evidence, first.cgroup_id) == (Outcome.OK, Evidence.REPORTED, 77)
    assert {call.account.organization for call in talk.calls} == {"acme"}
    assert (second.started_at_ns, second.first_token_at_ns, second.first_byte_at_ns) == (50, 0, 50)


def test_the_connections_end_tells_what_was_under_way_as_cut() -> None:
    """Once; no first byte is made up."""
    talk = Talk().hear(frame(CREATED)).end().end()
    (call,) = talk.calls
    assert (call.outcome, call.reading.evidence, call.reading.response_id) == (Outcome.CUT, Evidence.ABSENT, "resp_1")
    assert call.first_byte_at_ns == 0


def test_a_goodbye_of_the_server_is_an_end() -> None:
    """What comes behind it is not read."""
    talk = Talk().hear(frame(CREATED), frame(b"\x03\xe8", CLOSE), frame(DONE))
    assert [call.outcome for call in talk.calls] == [Outcome.CUT]
    assert talk.session.over == "ended"


def test_a_gap_inside_a_message_costs_that_message_alone() -> None:
    """The response whose end it was is told as cut when the next one begins; the lost bytes stand on it."""
    lost = frame(DONE)
    talk = Talk().hear(frame(CREATED), lost[:40]).lose(RECEIVED, len(lost) - 40)
    talk.hear(frame(CREATED.replace(b"resp_1", b"resp_2")), frame(DONE.replace(b"resp_1", b"resp_2")))
    assert [(call.outcome, call.reading.response_id, call.lost_bytes) for call in talk.calls] == [
        (Outcome.CUT, "resp_1", len(lost) - 40),
        (Outcome.OK, "resp_2", 0),
    ]


@pytest.mark.parametrize("begun", [True, False], ids=["under way", "nothing under way"])
def test_a_gap_after_which_nothing_can_be_read_is_told_by_a_turn(begun: bool) -> None:
    """As cut and without figures, never as silence; and nothing after it is taken for a frame."""
    talk = Talk().hear(frame(CREATED if begun else b'{"type":"session.created"}')).lose(RECEIVED, 0).hear(frame(DONE))
    assert [(call.outcome, call.reading.evidence) for call in talk.calls] == [(Outcome.CUT, Evidence.ABSENT)]
    assert talk.session.over == "lost"
    assert talk.end().calls == talk.calls


@pytest.mark.parametrize("direction", [SENT, RECEIVED])
def test_a_message_that_nobody_misses_is_told_at_the_end(direction: Direction) -> None:
    """Of the server: it may have been an answer.  What the client said is billed with its answer."""
    last = frame(b'{"type":"rate_limits.updated"}', masked=direction is SENT)
    talk = Talk().hear(frame(CREATED), frame(DONE))
    list(talk.session.receive(direction, last[:10], 90))
    talk.lose(direction, len(last) - 10).end()
    cut = [(call.outcome, call.reading.evidence, call.lost_bytes, call.started_at_ns) for call in talk.calls[1:]]
    assert cut == ([(Outcome.CUT, Evidence.ABSENT, len(last) - 10, 30)] if direction is RECEIVED else [])


def test_a_half_message_at_the_end_is_no_answer_but_one_with_a_hole_may_be() -> None:
    """Connections end where they will; what was lost is another thing."""
    last = frame(b'{"type":"rate_limits.updated"}')
    whole = [frame(CREATED), frame(DONE)]
    assert len(Talk().hear(*whole, last[:10]).end().calls) == 1
    assert len(Talk().hear(*whole, b"\x89\x05He").lose(RECEIVED, 3).end().calls) == 1  # a ping
    assert len(Talk().hear(*whole, last[:10]).lose(RECEIVED, 5).end().calls) == 2


def test_a_client_that_is_lost_costs_no_answer() -> None:
    """What the server says stands by itself."""
    talk = Talk().lose(SENT, 0).say(b'{"type":"response.create"}').hear(frame(CREATED), frame(DONE))
    assert [call.reading.evidence for call in talk.calls] == [Evidence.REPORTED]


def test_a_message_that_is_too_long_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that we would not keep; the session goes on."""
    monkeypatch.setattr("agent.protocol.websocket.MAX_MESSAGE_BYTES", 1000)
    talk = Talk().hear(frame(CREATED), frame(b"x" * 2000), frame(DONE))
    assert [call.outcome for call in talk.calls] == [Outcome.OK]


@pytest.mark.parametrize("kind", [OpenAiRealtime, OpenAiResponsesSocket, GeminiLive])
def test_somebody_elses_socket_is_let_go_after_some_messages(kind: type[SessionDialect]) -> None:
    """On an unknown host, with the same path and another language: no call, and a bound."""
    talk = Talk(kind, "unknown").hear(*[frame(b'{"event":"phx_reply","type":"error"}')] * (MAX_UNKNOWN_MESSAGES + 1))
    assert (talk.calls, talk.session.over) == ([], "unknown")


@pytest.mark.parametrize("direction", [SENT, RECEIVED])
def test_somebody_elses_endless_message_is_let_go_too(direction: Direction) -> None:
    """One frame of 2^62 bytes, in either direction: its bytes count, and are not kept."""
    talk = Talk(OpenAiRealtime, "unknown")
    mask = b"\0\0\0\0" if direction is SENT else b""
    list(
        talk.session.receive(direction, bytes((0x82, 0xFF if mask else 0x7F)) + (1 << 62).to_bytes(8, "big") + mask, 1)
    )
    piece = bytes(1024 * 1024)
    for _ in range(MAX_UNKNOWN_BYTES // len(piece)):
        assert not talk.session.over
        list(talk.session.receive(direction, piece, 1))
        assert talk.session.buffered_bytes <= MAX_MESSAGE_BYTES + FIXED_BYTES
    assert talk.session.over == "unknown"


def test_an_unknown_host_that_speaks_the_language_is_read() -> None:
    """A gateway inside the cluster: recognised by its words, told as unknown."""
    talk = Talk(OpenAiRealtime, "unknown").hear(frame(b'{"type":"session.created"}'))
    talk.hear(*[frame(b"{}")] * (2 * MAX_UNKNOWN_MESSAGES), frame(DONE))
    assert [(call.provider, call.reading.evidence) for call in talk.calls] == [("unknown", Evidence.REPORTED)]


def test_each_side_compresses_as_was_agreed() -> None:
    """The server with its context kept, the client without."""
    talk = Talk(extensions="permessage-deflate; client_no_context_takeover")
    server, client = Deflater(), Deflater(keeps_context=False)
    for number in (b"resp_1", b"resp_2"):
        asked = frame(client(b'{"type":"response.create"}'), masked=True, compressed=True)
        list(talk.session.receive(SENT, asked, 5))
        talk.hear(*[frame(server(said.replace(b"resp_1", number)), compressed=True) for said in (CREATED, DONE)])
    assert [(call.reading.response_id, call.started_at_ns) for call in talk.calls] == [("resp_1", 5), ("resp_2", 5)]


def test_an_extension_that_we_do_not_know_is_refused() -> None:
    """Its frames would be misread."""
    with pytest.raises(ProtocolError):
        Talk(extensions="x-webkit-frame-crypt")


SAYS = b'{"type":"response.output_text.delta","sequence_number":4,"item_id":"i","delta":"some words that were said "}'
RESPONSE = b'{"id":"resp_1","status":"in_progress","model":"gpt-4.1","usage":null}'
BEGINS = b'{"type":"response.created","response":' + RESPONSE + b"}"
ASKS = b'{"type":"response.create","model":"gpt-4.1","input":"a question of some length, as people ask it"}'


def test_an_answer_that_was_cut_is_estimated_where_its_question_holds_all_that_is_billed() -> None:
    """Responses over WebSocket: what was asked, and what arrived, as a lower bound; else as before."""
    talk = Talk(OpenAiResponsesSocket, tokenizer=ByCharacters()).say(ASKS).hear(frame(BEGINS), frame(SAYS), frame(SAYS))
    held = talk.session.buffered_bytes
    (call,) = talk.end().calls
    assert (call.outcome, call.reading.evidence) == (Outcome.CUT, Evidence.ESTIMATED)
    assert call.reading.estimate is not None
    assert call.reading.estimate.lower_bound
    assert 10 <= (call.reading.usage.input_tokens or 0) <= 20
    assert 8 <= (call.reading.usage.output_tokens or 0) <= 16
    assert held > len(ASKS)


def test_an_answer_in_a_conversation_that_the_server_keeps_is_estimated_with_a_larger_error() -> None:
    """As over HTTP: what was said before is billed too, and is not in the question."""
    further = ASKS.replace(b"}", b',"previous_response_id":"resp_0"}')
    errors = []
    for asks in (ASKS, further):
        talk = Talk(OpenAiResponsesSocket, tokenizer=ByCharacters()).say(asks).hear(frame(BEGINS), frame(SAYS)).end()
        estimate = talk.calls[0].reading.estimate
        assert estimate is not None
        assert estimate.lower_bound
        errors.append(estimate.input_error or 0)
    assert errors[1] > errors[0]


def test_a_spoken_turn_is_not_estimated() -> None:
    """Sound has no text to count, and every turn is billed with all before it."""
    talk = Talk(OpenAiRealtime, tokenizer=ByCharacters()).say(b'{"type":"response.create"}').hear(frame(BEGINS))
    (call,) = talk.hear(frame(SAYS)).end().calls
    assert (call.outcome, call.reading.evidence) == (Outcome.CUT, Evidence.ABSENT)


def test_a_question_without_any_answer_is_not_estimated() -> None:
    """Nobody says whether it is billed."""
    (call,) = Talk(OpenAiResponsesSocket, tokenizer=ByCharacters()).say(ASKS).end().calls
    assert (call.outcome, call.reading.evidence) == (Outcome.CUT, Evidence.ABSENT)


def test_what_a_provider_stated_is_not_estimated() -> None:
    """An answer that ends says what it used."""
    done = b'{"type":"response.completed","response":{"id":"resp_1","status":"completed","usage":' + USAGE + b"}}"
    talk = Talk(OpenAiResponsesSocket, tokenizer=ByCharacters()).say(ASKS).hear(frame(BEGINS), frame(SAYS), frame(done))
    assert [(call.reading.evidence, call.reading.usage.input_tokens) for call in talk.calls] == [(Evidence.REPORTED, 5)]
