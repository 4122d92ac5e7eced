"""Gemini's embeddings."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import read

HOST = "generativelanguage.googleapis.com"


def test_modalities_are_parts_of_the_input() -> None:
    """Spelt ``promptTokenDetails`` here."""
    usage = {"promptTokenCount": 300, "promptTokenDetails": [{"modality": "IMAGE", "tokenCount": 258}]}
    got = read("/v1beta/models/m:batchEmbedContents", HOST, answer={"usageMetadata": usage})
    assert (got.usage.input_tokens, got.usage.image_input_tokens) == (300, 258)


def test_half_of_them_say_nothing() -> None:
    """Absent, not 0."""
    assert read("/v1beta/models/m:embedContent", HOST, answer={"embedding": {}}).evidence is Evidence.ABSENT
