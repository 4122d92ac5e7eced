"""What the answers of all APIs have in common."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from agent.dialects.answers import (
    MAX_TOOL_CALLS,
    Tally,
    evidence_without_usage,
    gateway_cost,
    header_cost,
    model_in_part,
    request_fields,
    stated_server_tools,
)
from agent.model import Evidence, ResponseHead


@pytest.mark.parametrize(
    ("status", "served", "evidence"),
    [
        (200, True, Evidence.ABSENT),
        (200, False, Evidence.NOT_APPLICABLE),
        (0, True, Evidence.ABSENT),
        (302, True, Evidence.NOT_APPLICABLE),
        (429, True, Evidence.NOT_APPLICABLE),
        (500, False, Evidence.NOT_APPLICABLE),
    ],
)
def test_evidence_without_usage(status: int, served: bool, evidence: Evidence) -> None:
    """Absent only where something was served, or where no answer was seen at all."""
    assert evidence_without_usage(status, served=served) is evidence


def test_fields_of_a_request() -> None:
    """Of a whole one both, of half a one the model."""
    body = json.dumps({"model": "m", "service_tier": "flex", "messages": ["x" * 100]}).encode()
    assert request_fields(body, True) == ("m", "flex")
    assert request_fields(body[:40], False) == ("m", "")
    assert request_fields(b"", True) == ("", "")
    assert request_fields(b'{"model": 7}', True) == ("", "")


def test_a_model_inside_a_prompt_is_not_found() -> None:
    """There its quotes are escaped."""
    assert model_in_part(json.dumps({"messages": ['{"model": "evil"}'], "model": "m"}).encode()) == "m"


@pytest.mark.parametrize(
    ("headers", "cost"),
    [
        ({}, None),
        ({"x-litellm-response-cost": "0.01"}, Decimal("0.01")),
        ({"pydantic-ai-gateway-price-estimate": "0.02"}, Decimal("0.02")),
        ({"x-litellm-response-cost": "None"}, None),
        ({"x-litellm-response-cost": ""}, None),
    ],
)
def test_costs_of_gateways_in_headers(headers: dict[str, str], cost: Decimal | None) -> None:
    """LiteLLM writes None where it does not know."""
    assert header_cost(ResponseHead(stream_id=1, status=200, headers=headers)) == cost


def test_costs_of_gateways_in_the_usage() -> None:
    """Pydantic's writes into every vendor's shape."""
    assert gateway_cost({"pydantic_ai_gateway": {"cost_estimate": 0.25}}) == Decimal("0.25")
    assert gateway_cost({}) is None


def test_tools_of_the_provider() -> None:
    """Anthropic, OpenRouter, xAI: one spelling, nothing that did not happen."""
    assert stated_server_tools({"server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0}}) == {
        "web_search": 2
    }
    assert stated_server_tools({"server_tool_use_details": {"web_search_requests": 1}}) == {"web_search": 1}
    assert stated_server_tools({"server_side_tool_usage_details": {"x_search_calls": 3}}) == {"x_search": 3}
    assert stated_server_tools({"server_tool_use": ["x"]}) == {}


def test_a_tally_is_bounded() -> None:
    """Known names are still counted when no new one fits."""
    tally = Tally()
    for number in range(MAX_TOOL_CALLS + 50):
        tally.add(f"tool{number}")
    tally.add("tool0")
    tally.add("")
    assert len(tally.counts) == MAX_TOOL_CALLS
    assert tally.counts["tool0"] == 2
