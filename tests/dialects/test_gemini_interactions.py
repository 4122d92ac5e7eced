"""Gemini's interactions."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, read

HOST = "generativelanguage.googleapis.com"


def test_the_total_is_four_counters_added_up() -> None:
    """Thoughts are outside the output, tool use is outside the input."""
    usage = {"total_input_tokens": 10, "total_output_tokens": 5, "total_thought_tokens": 20, "total_tool_use_tokens": 7}
    got = read("/v1beta/interactions", HOST, answer={"status": "completed", "usage": usage})
    assert counts(got) == (17, 25)


def test_in_the_background_it_is_queued_first() -> None:
    """No usage yet."""
    got = read("/v1beta/interactions", HOST, answer={"id": "i", "status": "in_progress"})
    assert (got.evidence, got.finish_reason) == (Evidence.NOT_APPLICABLE, "in_progress")


def test_tools_of_the_provider_are_counted() -> None:
    """Beside those that the application runs."""
    outputs = [{"type": "google_search_call"}, {"type": "google_search_call"}, {"type": "function_call", "name": "f"}]
    got = read("/v1beta/interactions", HOST, answer={"status": "completed", "outputs": outputs})
    assert (dict(got.server_tool_calls), got.tool_calls) == ({"google_search": 2}, ("f",))
