"""Anthropic's legacy completions."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import read


def test_it_says_nothing_of_usage() -> None:
    """A call was served: absent, whole or streamed."""
    answer = {
        "type": "completion",
        "id": "compl_1",
        "completion": "x",
        "stop_reason": "stop_sequence",
        "model": "claude-2",
    }
    for got in (
        read("/v1/complete", "api.anthropic.com", answer=answer),
        read("/v1/complete", "api.anthropic.com", items=[answer]),
    ):
        assert (got.evidence, got.response_id, got.served_model) == (Evidence.ABSENT, "compl_1", "claude-2")
