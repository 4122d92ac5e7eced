"""Cohere's embeddings, rerank and old generate."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, read

HOST = "api.cohere.com"


def test_rerank_is_billed_by_search_units() -> None:
    """No tokens."""
    got = read("/v2/rerank", HOST, answer={"id": "r", "meta": {"billed_units": {"search_units": 2}}})
    assert (got.usage.search_units, counts(got), got.evidence) == (2, (None, None), Evidence.REPORTED)


def test_pictures_have_tokens_of_their_own() -> None:
    """Beside those of text."""
    got = read("/v2/embed", HOST, answer={"meta": {"billed_units": {"input_tokens": 0, "image_tokens": 1000}}})
    assert (got.usage.input_tokens, got.usage.image_input_tokens) == (1000, 1000)


def test_a_cut_answer_of_embeddings() -> None:
    """What is billed stands at the end, so it is gone."""
    assert read("/v2/embed", HOST, answer=b'{"embeddings":[[0.1,', complete=False).evidence is Evidence.ABSENT
