"""Anthropic messages: what is added, what replaces what, what is billed on top.  Figures are those of real recordings."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, read

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
