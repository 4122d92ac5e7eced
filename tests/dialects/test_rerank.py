"""Rerank in OpenAI's words."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import read


def test_the_total_is_the_input() -> None:
    """Voyage states nothing else."""
    got = read("/v1/rerank", "api.voyageai.com", answer={"model": "m", "usage": {"total_tokens": 43}})
    assert (got.usage.input_tokens, got.usage.output_tokens, got.evidence) == (43, None, Evidence.REPORTED)


def test_a_server_of_ones_own_may_state_nothing() -> None:
    """Text Embeddings Inference answers a bare array."""
    assert (
        read("/rerank", "tei", answer=[{"index": 0, "score": 1}, {"index": 1, "score": 0}]).evidence is Evidence.ABSENT
    )
