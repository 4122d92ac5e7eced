"""Aleph Alpha."""

from __future__ import annotations

from tests.dialects.helpers import counts, dialect_of, head, read


def test_counts_stand_at_the_top() -> None:
    """Input and output."""
    answer = {
        "completions": [{"finish_reason": "end_of_text"}],
        "num_tokens_prompt_total": 9,
        "num_tokens_generated": 4,
    }
    got = read("/complete", "api.aleph-alpha.com", answer=answer)
    assert (counts(got), got.finish_reason) == ((9, 4), "end_of_text")
    assert dialect_of(head("/complete", "shop")) is None
