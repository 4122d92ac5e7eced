"""One exchange by itself: what its heads and bodies become; tests/pipeline/test_connection.py has it on the wire."""

from __future__ import annotations

import json

import pytest

from agent.dialects import McpTools, OpenAiChat
from agent.model import Call, ConnId, Evidence, Outcome, RequestHead, ResponseHead, Unsupported
from agent.pipeline.exchange import Exchange
from tests.exchanges import CHAT_ANSWER

CONN = ConnId(pid=1, pointer=1, born_ns=1)


def exchange(*, provider: str = "openai", read: bool = True, headers: dict[str, str] | None = None) -> Exchange:
    head = RequestHead(
        stream_id=1,
        method="POST",
        target="/v1/chat/completions?key=SECRET",
        headers={"host": "api.openai.com", **(headers or {})},
    )
    return Exchange(head, dialect=OpenAiChat if read else None, provider=provider, at_ns=10)


def answered(one: Exchange, status: int = 200, headers: dict[str, str] | None = None) -> Exchange:
    one.request_body(json.dumps({"model": "gpt-4o-mini"}).encode())
    one.request_end(True)
    one.response_head(ResponseHead(stream_id=1, status=status, headers=headers or {}), 20)
    one.response_body(json.dumps(CHAT_ANSWER).encode(), 30)
    return one


def finished(one: Exchange, *, complete: bool = True) -> Call:
    call = one.finish(CONN, 7, 40, complete)
    assert isinstance(call, Call)
    return call


def test_heads_and_bodies_become_a_call() -> None:
    """Models, usage, times."""
    call = finished(answered(exchange()))
    assert (call.reading.requested_model, call.reading.usage.input_tokens, call.outcome) == (
        "gpt-4o-mini",
        100,
        Outcome.OK,
    )
    assert (call.started_at_ns, call.first_byte_at_ns, call.first_token_at_ns, call.ended_at_ns) == (10, 20, 0, 40)


@pytest.mark.parametrize(("value", "count"), [("0", 0), ("2", 2), ("", 0), ("-1", 0), ("99999", 0), ("two", 0)])
def test_retries_by_the_sdks_own_word(value: str, count: int) -> None:
    """Nonsense is no retry."""
    assert finished(answered(exchange(headers={"x-stainless-retry-count": value}))).retry_count == count


@pytest.mark.parametrize(
    ("value", "count"), [("attempt=1; max=3", 0), ("attempt=3; max=3", 2), ("attempt=; max=3", 0), ("attempt=x", 0)]
)
def test_retries_by_awss_own_word(value: str, count: int) -> None:
    """It counts attempts, from one."""
    assert finished(answered(exchange(headers={"amz-sdk-request": value}))).retry_count == count


def test_an_answer_before_the_request_is_all_sent() -> None:
    """An early error; the request's model is still found."""
    one = exchange()
    one.request_body(b'{"model": "gpt-4o-mini", "messages": [')
    one.response_head(ResponseHead(stream_id=1, status=400, headers={}), 20)
    assert finished(one).reading.requested_model == "gpt-4o-mini"


def test_without_a_dialect_a_known_provider_is_told_and_an_unknown_is_nobodys_business() -> None:
    """And the query, which can hold a key, is in neither."""
    told = answered(exchange(read=False)).finish(CONN, 7, 40, True)
    assert isinstance(told, Unsupported)
    assert "SECRET" not in repr(told)
    assert answered(exchange(read=False, provider="unknown")).finish(CONN, 7, 40, True) is None


def test_no_answer_is_unknown_cost_not_nothing() -> None:
    """Absent, not "not applicable"."""
    one = exchange()
    one.request_end(True)
    call = finished(one, complete=False)
    assert (call.status, call.reading.evidence, call.outcome) == (0, Evidence.ABSENT, Outcome.CUT)
    assert not call.reading.streaming


def test_a_models_name_with_a_hole_is_no_models_name() -> None:
    """What is left of "gpt-4o-mini" can be "gpt-4", which costs two hundred times as much."""
    one = exchange()
    one.request_body(b'{"model":"gpt-4')
    one.request_lost(6)
    one.request_body(b'","messages":[]}')
    one.request_end(False)
    call = finished(one, complete=False)
    assert (call.reading.requested_model, call.lost_bytes) == ("", 6)


def test_how_a_grpc_call_went_is_of_no_use_without_its_head() -> None:
    """The head may have been lost: the call stands, and its status is not known."""
    one = exchange()
    one.request_end(True)
    one.response_trailers({"grpc-status": "8"})
    call = finished(one, complete=False)
    assert (call.status, call.reading.evidence) == (0, Evidence.ABSENT)


@pytest.mark.parametrize(
    ("provider", "status", "told"),
    [("tools", 200, False), ("tools", 302, False), ("tools", 404, True), ("tools", 500, True), ("unknown", 500, False)],
)
def test_a_handshake_is_no_call_unless_it_failed_at_somebody_we_know(provider: str, status: int, told: bool) -> None:
    """A list of tools is nothing that is billed; a failure is one of a provider, and where we only guessed the API, nobody's."""
    head = RequestHead(stream_id=1, method="POST", target="/mcp", headers={"host": "tools.example"})
    one = Exchange(head, dialect=McpTools, provider=provider, at_ns=10)
    one.request_body(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
    one.request_end(True)
    one.response_head(ResponseHead(stream_id=1, status=status, headers={}), 20)
    one.response_body(b'{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}', 30)
    assert (one.finish(CONN, 7, 40, True) is not None) is told


def test_a_body_that_can_not_be_decoded_costs_its_facts_only() -> None:
    """The call stands."""
    one = exchange(headers={"content-encoding": "gzip"})
    one.request_body(b"\x1f\x8bgarbage")
    one.request_end(True)
    assert finished(one, complete=False).reading.requested_model == ""
