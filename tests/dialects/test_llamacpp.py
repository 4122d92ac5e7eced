"""llama.cpp."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, read


def test_counts_before_the_end_are_not_the_last_word() -> None:
    """Each event has them."""
    event = {"content": "x", "stop": False, "tokens_predicted": 1, "tokens_evaluated": 4}
    got = read("/completion", "llama", items=[event], complete=False)
    assert (got.evidence, counts(got)) == (Evidence.ABSENT, (None, None))
    got = read("/completion", "llama", items=[event, {**event, "stop": True, "tokens_predicted": 8}], complete=False)
    assert (got.evidence, counts(got)) == (Evidence.REPORTED, (4, 8))


def test_somebody_elses_path() -> None:
    """Not recognised."""
    assert not read("/completion", "shop", answer={"text": "x"}).recognised
