"""Batches of Gemini."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, read

HOST = "generativelanguage.googleapis.com"
ONE = {
    "response": {
        "modelVersion": "m",
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13},
    }
}


def test_every_answer_stands_there_twice_and_counts_once() -> None:
    """``metadata.output`` is not read."""
    both = {"inlinedResponses": {"inlinedResponses": [ONE, ONE]}}
    got = read(
        "/v1beta/batches/x",
        HOST,
        method="GET",
        answer={"name": "batches/x", "metadata": {"output": both}, "response": both},
    )
    assert (counts(got), got.evidence, got.response_id) == ((18, 8), Evidence.REPORTED, "batches/x")


def test_an_unfinished_batch() -> None:
    """Nothing yet."""
    assert (
        read("/v1beta/batches/x", HOST, method="GET", answer={"name": "batches/x"}).evidence is Evidence.NOT_APPLICABLE
    )
