"""One connection end to end: verdicts, pairing, loss, and cuts."""

from __future__ import annotations

import pytest

from agent.model import Direction, Evidence, Judgement, Outcome, Unsupported, Verdict
from agent.pipeline.connection import MAX_UNJUDGED_BYTES, MAX_UNKNOWN_REQUESTS
from tests.exchanges import SECOND_NS, Wire, request, response, stream
from tests.protocol.cuts import bytewise, every_cut_in_two, random_cuts

DELTA = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "x"}}], "usage": None}
LAST = {
    "id": "c",
    "model": "m",
    "choices": [],
    "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
}


def verdicts(wire: Wire) -> list[tuple[Judgement, str]]:
    return [(output.judgement, output.reason) for output in wire.outputs if isinstance(output, Verdict)]


def test_a_call_has_its_times_and_its_names() -> None:
    """Started with the request's first byte, first byte with the response's head, ended with its last byte."""
    (call,) = Wire().send(request()).receive(response(headers="x-request-id: req_9\r\n")).calls
    assert (call.provider, call.api, call.host, call.status) == ("openai", "openai/chat", "api.openai.com", 200)
    assert (call.started_at_ns, call.first_byte_at_ns, call.ended_at_ns) == (
        2 * SECOND_NS,
        3 * SECOND_NS,
        3 * SECOND_NS,
    )
    assert (call.request_id, call.outcome, call.cgroup_id) == ("req_9", Outcome.OK, 77)
    assert call.reading.evidence is Evidence.REPORTED


def test_time_to_first_token_is_the_first_events() -> None:
    """Not the head's, and not the end's."""
    data = stream([DELTA, LAST])
    head_end = data.index(b"\r\n\r\n") + 4
    (call,) = (
        Wire().send(request()).receive(data[:head_end], data[head_end : head_end + 200], data[head_end + 200 :]).calls
    )
    assert call.first_byte_at_ns < call.first_token_at_ns < call.ended_at_ns


def test_splitting_a_connection_never_changes_the_call() -> None:
    """Byte by byte, every cut in two, random cuts of both directions."""
    sent, received = request(), stream([DELTA, LAST])
    (expected,) = Wire().send(sent).receive(received).calls
    ways = [bytewise(received), *random_cuts(received, rounds=20), *list(every_cut_in_two(received))[::7]]
    for parts in ways:
        (call,) = Wire().send(sent).receive(*[part for part in parts if part]).calls
        assert call.reading == expected.reading
    for parts in [bytewise(sent), *every_cut_in_two(sent)]:
        (call,) = Wire().send(*[part for part in parts if part]).receive(received).calls
        assert call.reading == expected.reading


def test_many_calls_on_one_connection() -> None:
    """Keep-alive: each request gets its own answer."""
    wire = Wire()
    for model in ("a", "b", "c"):
        wire.send(request(body={"model": model})).receive(response())
    assert [call.reading.requested_model for call in wire.calls] == ["a", "b", "c"]
    assert [call.stream_id for call in wire.calls] == [1, 2, 3]


def test_pipelined_requests_are_answered_in_their_order() -> None:
    """RFC 9112, 9.3.2."""
    wire = Wire().send(request(body={"model": "a"}) + request(body={"model": "b"}))
    wire.receive(response({"id": "1", "model": "a"}) + response({"id": "2", "model": "b"}))
    assert [(call.reading.requested_model, call.reading.response_id) for call in wire.calls] == [("a", "1"), ("b", "2")]


# ----------------------------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("wire", "verdict"),
    [
        (Wire().send(request()), (Judgement.WATCH, "known_host")),
        (Wire().send(request("/v1/models", method="GET")), (Judgement.WATCH, "known_host")),
        (Wire().send(request(host="llm.internal:8000")), (Judgement.WATCH, "known_path")),
        (Wire().receive(request()), (Judgement.IGNORE, "server_side")),
        (Wire().send(response()[90:], response()).receive(request()), (Judgement.IGNORE, "server_side")),
    ],
    ids=["host", "host, other path", "path", "server", "server, from the middle of an answer on"],
)
def test_first_bytes_decide(wire: Wire, verdict: tuple[Judgement, str]) -> None:
    """One verdict, from the first bytes."""
    assert verdicts(wire) == [verdict]


def test_the_verdict_comes_also_byte_by_byte() -> None:
    """A request line in one-byte reads is still a request line."""
    assert verdicts(Wire().send(*bytewise(request()))) == [(Judgement.WATCH, "known_host")]


def test_what_is_not_http_is_given_up_after_a_bound() -> None:
    """Perhaps we joined in the middle of an answer; a database's protocol shows by its volume."""
    wire = Wire()
    for _ in range(MAX_UNJUDGED_BYTES // 16384 + 1):
        wire.receive(b"\x00" * 16384)
    assert verdicts(wire) == [(Judgement.IGNORE, "not_http")]


def test_an_unknown_host_may_be_a_gateway_that_is_asked_for_its_health_first() -> None:
    """Some requests are waited for before it is given up."""
    wire = Wire()
    for _ in range(MAX_UNKNOWN_REQUESTS):
        wire.send(request("/health", "gateway", method="GET")).receive(response({"ok": True}))
    assert verdicts(wire) == []
    wire.send(request(host="gateway")).receive(response())
    assert verdicts(wire) == [(Judgement.WATCH, "known_path")]
    assert len(wire.calls) == 1


def test_an_unknown_host_with_other_business_is_given_up() -> None:
    """Its bytes are dropped in the kernel from then on."""
    wire = Wire()
    for _ in range(MAX_UNKNOWN_REQUESTS + 1):
        wire.send(request("/api/orders", "shop", method="GET")).receive(response({"ok": True}))
    assert verdicts(wire) == [(Judgement.IGNORE, "unknown_api")]


def test_a_large_download_from_an_unknown_host_is_given_up_in_its_course() -> None:
    """Not after four of them."""
    wire = Wire().send(request("/file", "mirror", method="GET"))
    wire.receive(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 100_000)
    assert verdicts(wire) == [(Judgement.IGNORE, "unknown_api")]


def test_a_known_providers_other_apis_are_told() -> None:
    """Seen and not read is not silence."""
    wire = Wire().send(request("/v1/files", method="GET")).receive(response({"data": []}))
    (told,) = [output for output in wire.outputs if isinstance(output, Unsupported)]
    assert (told.provider, told.path, told.status) == ("openai", "/v1/files", 200)


def test_a_key_in_the_query_is_in_no_output() -> None:
    """Gemini's ?key=."""
    wire = Wire().send(
        request("/v1beta/models/gemini-2.5-flash:countTokens?key=AIzaSECRET", "generativelanguage.googleapis.com")
    )
    wire.receive(response({"totalTokens": 1})).close()
    assert "AIzaSECRET" not in repr(wire.outputs)


# ---------------------------------------------------------------------------------------------------- loss, cuts, joins


def test_bytes_lost_inside_an_answer_are_told() -> None:
    """The usage is gone with them: partial or absent, never a figure that was not seen."""
    data = response()
    wire = Wire().send(request()).receive(data[:150]).lose(Direction.RECEIVED, 50).receive(data[200:])
    (call,) = wire.calls
    assert call.lost_bytes == 50
    assert call.outcome is Outcome.CUT
    assert call.reading.evidence is not Evidence.REPORTED


def test_events_lost_inside_a_stream_leave_its_final_usage() -> None:
    """The last event was seen whole, so it counts."""
    data = stream([DELTA] * 20 + [LAST])
    chunks = [at for at in range(len(data)) if data.startswith(b"data: ", at)]
    starts = [
        data.rindex(b"\r\n", 0, data.rindex(b"\r\n", 0, at)) + 2 for at in chunks
    ]  # of each HTTP chunk's size line
    # Of twenty deltas the kernel lost five, as whole reads; one more event is given up, because nobody marks where one begins.
    wire = Wire().send(request()).receive(data[: starts[8]]).lose(Direction.RECEIVED, starts[13] - starts[8])
    (call,) = wire.receive(data[starts[13] :]).calls
    assert call.lost_bytes == starts[13] - starts[8]
    assert call.outcome is Outcome.CUT
    assert call.reading.evidence is Evidence.REPORTED
    assert (call.reading.usage.input_tokens, call.reading.usage.output_tokens) == (5, 3)


def test_the_call_after_a_loss_is_whole_again() -> None:
    """One damaged exchange costs only itself."""
    data = response()
    wire = Wire().send(request()).receive(data[:100]).lose(Direction.RECEIVED, len(data) - 100)
    wire.send(request(body={"model": "next"})).receive(response())
    first, second = wire.calls
    assert first.outcome is Outcome.CUT
    assert (second.reading.requested_model, second.reading.evidence) == ("next", Evidence.REPORTED)


def test_a_lost_request_does_not_give_its_answer_to_the_next_one() -> None:
    """Two customers' money must not mix, nor two calls'."""
    wire = Wire().send(request(body={"model": "a"})).receive(response({"id": "1", "model": "a"}))
    wire.lose(Direction.SENT, 300).receive(response({"id": "2", "model": "lost"}))
    wire.send(request(body={"model": "c"})).receive(response({"id": "3", "model": "c"}))
    assert [(call.reading.requested_model, call.reading.response_id) for call in wire.calls] == [("a", "1"), ("c", "3")]


def test_joining_in_the_middle_waits_for_the_next_request() -> None:
    """An answer whose request was not seen is not a call."""
    wire = Wire().receive(b'tail of an answer"}', b"0\r\n\r\n").send(request()).receive(response())
    assert len(wire.calls) == 1


def test_a_stream_that_ends_early_is_cut() -> None:
    """The client hung up: what is known is told, and that it is not all."""
    data = stream([DELTA] * 5 + [LAST])
    wire = Wire().send(request()).receive(data[:400]).close()
    (call,) = wire.calls
    assert (call.outcome, call.reading.streaming) == (Outcome.CUT, True)
    assert call.reading.evidence is Evidence.ABSENT


def test_a_request_without_an_answer_is_cut() -> None:
    """What it cost is not known, which is not nothing."""
    (call,) = Wire().send(request()).close().calls
    assert (call.status, call.outcome, call.reading.evidence) == (0, Outcome.CUT, Evidence.ABSENT)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.OK),
        (400, Outcome.CLIENT_ERROR),
        (401, Outcome.CLIENT_ERROR),
        (429, Outcome.RATE_LIMITED),
        (500, Outcome.SERVER_ERROR),
        (529, Outcome.SERVER_ERROR),
    ],
)
def test_outcomes(status: int, outcome: Outcome) -> None:
    """Only the status decides "rate limited": a retry-after comes with 200 too."""
    body = None if status == 200 else {"error": {"type": "x", "message": "secret prompt"}}
    (call,) = Wire().send(request()).receive(response(body, status, "retry-after: 5\r\n")).calls
    assert call.outcome is outcome
    assert "secret prompt" not in repr(call)


def test_an_sdks_retry_is_counted() -> None:
    """``x-stainless-retry-count``."""
    (call,) = Wire().send(request(headers="x-stainless-retry-count: 2\r\n")).receive(response()).calls
    assert call.retry_count == 2


def test_a_connection_that_was_forgotten_while_silent_is_read_again() -> None:
    """Its positions go on where they were: what came before is not a loss, and no reason to refuse it."""
    wire = Wire()
    wire.lose(Direction.SENT, 5_000_000).lose(Direction.RECEIVED, 80_000_000)
    wire.send(request()).receive(response())
    assert verdicts(wire) == [(Judgement.WATCH, "known_host")]
    assert [call.outcome for call in wire.calls] == [Outcome.OK]


def test_lost_bytes_are_no_sign_against_a_connection() -> None:
    """A burst that the ring could not hold, before the first request was seen."""
    wire = Wire().receive(b"tail of an answer").lose(Direction.RECEIVED, 10_000_000).receive(b"more of it")
    wire.send(request()).receive(response())
    assert verdicts(wire) == [(Judgement.WATCH, "known_host")]


def test_an_answer_lost_whole_is_not_given_the_next_one() -> None:
    """The loss shows only when the next answer comes: it belongs to the last question, and the first one is cut."""
    wire = Wire().send(request(body={"model": "a"})).lose(Direction.RECEIVED, len(response()))
    wire.send(request(body={"model": "b"})).receive(response({"id": "2", "model": "b"}))
    seen = [(call.reading.requested_model, call.reading.response_id, call.outcome) for call in wire.calls]
    assert seen == [("a", "", Outcome.CUT), ("b", "2", Outcome.OK)]


def test_an_upgraded_connection_is_left_alone() -> None:
    """To what we don't read: told once, then dropped in the kernel; its frames are not a protocol error."""
    wire = Wire().send(request("/v1/files", method="GET", headers="connection: upgrade\r\nupgrade: websocket\r\n"))
    wire.receive(b"HTTP/1.1 101 S\r\nupgrade: websocket\r\n\r\n\x81\x05hello").send(b"\x81\x85mask" * 20_000)
    assert [type(output).__name__ for output in wire.outputs] == ["Verdict", "Unsupported", "Verdict"]
    assert verdicts(wire)[-1] == (Judgement.IGNORE, "upgraded")


def test_a_tunnel_is_left_alone() -> None:
    """CONNECT: what is inside has a TLS connection of its own."""
    wire = Wire().send(b"CONNECT api.openai.com:443 HTTP/1.1\r\nhost: api.openai.com:443\r\n\r\n")
    assert verdicts(wire)[-1] == (Judgement.IGNORE, "upgraded")


def test_a_large_upload_to_an_unknown_host_is_given_up_in_its_course() -> None:
    """As a download."""
    wire = Wire().send(b"PUT /bucket/key HTTP/1.1\r\nhost: storage\r\ncontent-length: 1000000\r\n\r\n", b"x" * 100_000)
    assert verdicts(wire) == [(Judgement.IGNORE, "unknown_api")]
