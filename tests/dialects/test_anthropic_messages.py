"""Anthropic messages: what is added, what replaces what, what is billed on top.  Figures are those of real recordings."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from agent.dialects.anthropic_messages import AnthropicMessages
from agent.model import Evidence
from tests.dialects.helpers import counts, dialect_of, head, read

MESSAGES = ("/v1/messages", "api.anthropic.com")
START = {
    "type": "message_start",
    "message": {
        "id": "m1",
        "model": "claude-sonnet-4-5",
        "usage": {
            "input_tokens": 2068,
            "cache_read_input_tokens": 55096,
            "output_tokens": 1,
            "service_tier": "standard",
        },
    },
}


def delta(usage: object) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}


def test_anthropic_input_excludes_cache_reads_and_writes() -> None:
    """Our input is all three."""
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 30,
        "output_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    }
    reading = read(*MESSAGES, answer={"id": "m", "type": "message", "model": "claude", "content": [], "usage": usage})
    assert counts(reading) == (240, 5)
    assert (reading.usage.cache_write_input_tokens, reading.usage.cache_write_1h_input_tokens) == (30, 10)


def test_message_delta_replaces_field_by_field_also_by_less() -> None:
    """Overwrite: never the larger one, never the sum; what the delta leaves out stays."""
    reading = read(
        *MESSAGES,
        items=[START, delta({"input_tokens": 22397, "cache_read_input_tokens": 0, "output_tokens": 40})],
        names=True,
    )
    assert counts(reading) == (22397, 40)
    assert (reading.service_tier, reading.finish_reason, reading.evidence) == (
        "standard",
        "end_turn",
        Evidence.REPORTED,
    )


def test_an_older_delta_carries_only_output() -> None:
    """The start's input stays."""
    assert counts(read(*MESSAGES, items=[START, delta({"output_tokens": 40})])) == (57164, 40)


def test_a_stream_without_its_delta_is_partial() -> None:
    """The start's count is provisional."""
    reading = read(*MESSAGES, items=[START], complete=False)
    assert (counts(reading), reading.evidence) == ((57164, 1), Evidence.PARTIAL)


def test_a_delta_without_its_start_is_partial() -> None:
    """The start is in a hole: its input, or its split of cache writes, is not known."""
    for final in ({"output_tokens": 40}, {"input_tokens": 5, "output_tokens": 40}):
        reading = read(*MESSAGES, items=[delta(final), {"type": "message_stop"}], complete=False)
        assert (reading.usage.output_tokens, reading.evidence) == (40, Evidence.PARTIAL)


def test_iterations_of_other_types_are_billed_on_top() -> None:
    """Without this rule the call is under-priced by a factor of 250."""
    usage = {
        "input_tokens": 220,
        "output_tokens": 8,
        "iterations": [
            {"type": "compaction", "model": "claude-haiku-4-5", "input_tokens": 55196, "output_tokens": 125},
            {"type": "message", "input_tokens": 220, "output_tokens": 8},
        ],
    }
    reading = read(*MESSAGES, answer={"id": "m", "model": "claude", "content": [], "usage": usage})
    assert counts(reading) == (220, 8)
    (extra,) = reading.extra_usage
    assert (extra.kind, extra.model, extra.usage.input_tokens, extra.usage.output_tokens) == (
        "compaction",
        "claude-haiku-4-5",
        55196,
        125,
    )


def test_anthropics_overload_inside_a_stream() -> None:
    """``event: error``."""
    reading = read(
        *MESSAGES,
        items=[START, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}],
        complete=False,
    )
    assert (reading.error, reading.evidence) == ("overloaded_error", Evidence.PARTIAL)


def test_tools_of_the_provider_are_not_the_applications() -> None:
    """Counted by name, apart."""
    content = [{"type": "server_tool_use", "name": "web_search"}, {"type": "tool_use", "name": "mine"}]
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    }
    reading = read(*MESSAGES, answer={"id": "m", "model": "c", "content": content, "usage": usage})
    assert (reading.tool_calls, dict(reading.server_tool_calls)) == (("mine",), {"web_search": 2})


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("/v1/messages", True),
        ("/v1/messages?beta=true", True),
        ("/anthropic/v1/messages", True),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4@20250514:streamRawPredict", True),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4@20250514:rawPredict", True),
        ("/v1/projects/p/locations/l/publishers/meta/models/llama:rawPredict", False),
        ("/v1/messages/count_tokens", False),
        ("/v1/messages/batches", False),
        ("/v1/threads/t/messages", False),
    ],
)
def test_what_is_read(path: str, taken: bool) -> None:
    """Counting is free and batches are another API."""
    assert (dialect_of(head(path, "api.anthropic.com")) is AnthropicMessages) is taken
    assert dialect_of(head(path, "api.anthropic.com", "GET")) is None


def test_on_vertex_the_model_stands_in_the_path() -> None:
    """The body has none."""
    path = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4%4020250514:rawPredict"
    answer = {"id": "m", "model": "claude", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}
    reading = read(path, "us-east5-aiplatform.googleapis.com", answer=answer)
    assert reading.requested_model == "claude-sonnet-4@20250514"


def test_the_hours_share_of_cache_writes_never_exceeds_them() -> None:
    """Only message_start has the split, and the final count may be less."""
    first = {"input_tokens": 5, "cache_creation_input_tokens": 50, "output_tokens": 1}
    first["cache_creation"] = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 50}  # type: ignore[assignment]
    start = {"type": "message_start", "message": {"id": "m", "model": "c", "usage": first}}
    reading = read(*MESSAGES, items=[start, delta({"cache_creation_input_tokens": 20, "output_tokens": 9})], names=True)
    assert (reading.usage.cache_write_input_tokens, reading.usage.cache_write_1h_input_tokens) == (20, 20)
    assert (counts(reading), reading.remarks) == ((25, 9), ("cache_write_1h_exceeds_cache_write",))


def test_a_split_without_its_sum() -> None:
    """5m + 1h is the sum."""
    usage = {"input_tokens": 1, "output_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 7}}
    reading = read(*MESSAGES, answer={"id": "m", "model": "c", "content": [], "usage": usage})
    assert (counts(reading), reading.usage.cache_write_input_tokens) == ((8, 1), 7)


def test_thinking_is_part_of_output() -> None:
    """Stated since 2026."""
    usage = {"input_tokens": 1, "output_tokens": 90, "output_tokens_details": {"thinking_tokens": 60}}
    reading = read(*MESSAGES, answer={"id": "m", "model": "c", "content": [], "usage": usage})
    assert (counts(reading), reading.usage.reasoning_output_tokens) == ((1, 90), 60)


def test_what_changes_the_price_is_kept() -> None:
    """Tier, speed, place: as served; a gateway's own estimate too."""
    usage = {
        "input_tokens": 1, "output_tokens": 1, "service_tier": "priority", "speed": "fast", "inference_geo": "us",
        "pydantic_ai_gateway": {"cost_estimate": 0.25},
    }  # fmt: skip
    answer = {"id": "m", "model": "c", "content": [], "usage": usage}
    reading = read(*MESSAGES, asked={"model": "c", "service_tier": "auto"}, answer=answer)
    assert (reading.service_tier, reading.speed, reading.inference_geo) == ("priority", "fast", "us")
    assert reading.reported_cost_usd == Decimal("0.25")


@pytest.mark.parametrize("names", [True, False])
def test_a_whole_stream(names: bool) -> None:
    """Tools come with the start of their block; pings and deltas are passed over, whatever stands in them."""
    items: list[object] = [
        START,
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "name": "web_search"}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "name": "f"}},
        {"type": "content_block_delta", "index": 1, "delta": {"partial_json": '"type":"message_delta","usage":{}'}},
        {"type": "content_block_stop", "index": 1},
        delta({"output_tokens": 40, "server_tool_use": {"web_search_requests": 3}}),
        {"type": "message_stop"},
    ]
    reading = read(*MESSAGES, items=items, names=names)
    assert (reading.tool_calls, dict(reading.server_tool_calls)) == (("f",), {"web_search": 3})
    assert (counts(reading), reading.response_id, reading.served_model) == ((57164, 40), "m1", "claude-sonnet-4-5")
    for end in range(1, 6):
        assert read(*MESSAGES, items=items[:end], names=names, complete=False).evidence is Evidence.PARTIAL


def test_half_a_document() -> None:
    """What came through is a lower bound."""
    usage = {"input_tokens": 3, "output_tokens": 4}
    body = json.dumps({"model": "claude-x", "id": "m", "usage": usage, "content": []}).encode()
    reading = read(*MESSAGES, answer=body[:-4], complete=False)
    assert (counts(reading), reading.evidence, reading.served_model) == ((3, 4), Evidence.PARTIAL, "claude-x")


def test_an_error_document() -> None:
    """By status alone a call is an error; its word is the type."""
    answer = {"type": "error", "error": {"type": "overloaded_error", "message": "secret"}, "request_id": "req_1"}
    reading = read(*MESSAGES, answer=answer, status=529)
    assert (reading.error, reading.evidence) == ("overloaded_error", Evidence.NOT_APPLICABLE)
    assert "secret" not in repr(reading)
