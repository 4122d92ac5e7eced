"""The fake's Anthropic says in every shape what it books."""

import pytest

from agent.demo.books import Tokens
from agent.demo.provider import anthropic
from agent.demo.provider.exchange import Draw
from tests.demo.provider.requests import document, events, request

MODEL = {"model": "claude-haiku-4-5", "max_tokens": 10}


def booked_as(usage: dict[str, object], split: dict[str, int]) -> Tokens:
    """Anthropic's exclusive sense, read by hand."""
    return Tokens(
        input=int(str(usage["input_tokens"])),
        cache_read=int(str(usage["cache_read_input_tokens"])),
        cache_write=split["ephemeral_5m_input_tokens"],
        cache_write_1h=split["ephemeral_1h_input_tokens"],
        output=int(str(usage["output_tokens"])),
    )


@pytest.mark.parametrize("ordinal", range(1, 9))
def test_both_shapes_state_what_is_booked(ordinal: int) -> None:
    """Over several draws, so that all kinds of cache use occur."""
    draws = Draw.of("tests", ordinal), Draw.of("tests", ordinal)
    whole = anthropic.messages(request("/v1/messages", MODEL), draws[0])
    streamed = anthropic.messages(request("/v1/messages", MODEL | {"stream": True}), draws[1])
    usage = document(whole)["usage"]
    assert booked_as(usage, usage["cache_creation"]) == whole.served.tokens == streamed.served.tokens
    assert whole.served.cost_usd == streamed.served.cost_usd
    start, *_, delta, stop = events(streamed.pieces)
    assert (start["type"], delta["type"], stop["type"]) == ("message_start", "message_delta", "message_stop")
    assert booked_as(delta["usage"], start["message"]["usage"]["cache_creation"]) == streamed.served.tokens
    assert start["message"]["usage"]["output_tokens"] == 1


def test_tool_use_stands_in_a_block_of_its_own() -> None:
    """Named at its start, arguments in deltas."""
    asked = MODEL | {"stream": True, "tools": [{"name": "find_order"}]}
    answer = anthropic.messages(request("/v1/messages", asked), Draw.of("tests", 1))
    (block,) = [event["content_block"] for event in events(answer.pieces) if event["type"] == "content_block_start"]
    assert (block["type"], block["name"]) == ("tool_use", "find_order")


def test_retry_after_is_no_sign_of_a_refusal() -> None:
    """The real ones send it with answers too."""
    assert "retry-after" in anthropic.messages(request("/v1/messages", MODEL), Draw.of("tests", 1)).headers
    refused = anthropic.error(request("/v1/messages", MODEL), Draw.of("tests", 1), status=429)
    assert document(refused)["error"]["type"] == "rate_limit_error"
    assert refused.served.tokens is None
