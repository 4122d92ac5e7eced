"""What LiteLLM says of the call behind its answer, as it says it."""

from __future__ import annotations

import pytest

from agent.model import NOT_PASSED_ON, Evidence, PassedOn, Unpriced
from agent.pipeline.passed_on import cached_by_gateway, passed_on_of, request_id_of
from agent.pricing import Pricer
from tests.exchanges import CHAT_ANSWER, Wire, pipeline, request, response

BEDROCK = {"x-litellm-call-id": "c", "llm_provider-x-amzn-requestid": "a1"}


def test_the_providers_id_is_the_same_on_both_sides() -> None:
    """Of several the same one is taken, whichever the gateway adds of its own."""
    azure = {"apim-request-id": "a", "x-request-id": "x"}
    passed_on = {f"llm_provider-{name}": value for name, value in azure.items()} | {"llm_provider-request-id": "x"}
    assert request_id_of(azure) == passed_on_of(passed_on).request_id == "a"
    assert passed_on_of(BEDROCK).request_id == "a1"


def test_nothing_passed_on() -> None:
    """The answers of providers say nothing of the kind."""
    assert passed_on_of({"x-request-id": "x"}) is NOT_PASSED_ON


def test_it_reaches_the_call() -> None:
    """Headers are let through by name."""
    about = "llm_provider-request-id: req_1\r\nx-litellm-model-name: anthropic/claude-sonnet-4-6\r\n"
    wire = Wire(pipeline()).send(request(host="litellm")).receive(response(headers=about))
    assert wire.calls[0].passed_on == PassedOn(request_id="req_1", model="anthropic/claude-sonnet-4-6")


@pytest.mark.parametrize(
    ("headers", "cached"),
    [
        ({"x-litellm-cache-key": "k"}, True),
        ({"x-litellm-cache-key": "k", "x-litellm-response-cost": "0.0"}, True),
        ({"x-litellm-cache-key": "k", "x-litellm-response-cost": "0.001"}, False),
        ({"x-litellm-cache-key": "k", "llm_provider-request-id": "r"}, False),
        (BEDROCK, False),
    ],
)
def test_whether_it_came_from_the_gateways_cache(headers: dict[str, str], cached: bool) -> None:
    """By the key, where neither a cost nor a provider's header says that one was asked."""
    assert cached_by_gateway(headers) is cached


def test_a_cached_answer_is_a_call_without_usage() -> None:
    """It repeats the usage, and in streams even the cost, of the one that it is a copy of."""
    answer = CHAT_ANSWER | {
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "cost": 0.00563}
    }
    wire = Wire(pipeline()).send(request(host="litellm"))
    wire.receive(response(answer, headers="x-litellm-cache-key: k\r\n"))
    (call,) = wire.calls
    assert (call.reading.usage.input_tokens, call.reading.evidence) == (None, Evidence.NOT_APPLICABLE)
    assert call.reading.remarks == ("answered_from_gateway_cache",)
    assert Pricer().price(call) == Unpriced(reason="not_billed")
