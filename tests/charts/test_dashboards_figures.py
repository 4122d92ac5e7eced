"""What the dashboards call sent, answered and cached."""

from __future__ import annotations

import re

from agent.pricing.leaves import TokenType
from charts.dashboards.figures import ANSWERED, CACHED


def test_every_type_of_token_is_sent_or_answered() -> None:
    """The patterns put each type where its name says: what a model wrote, and what of the rest came out of a cache."""
    answered = {kind.value for kind in TokenType if re.fullmatch(ANSWERED.value, kind.value)}
    assert answered == {kind.value for kind in TokenType if kind.name.startswith(("OUTPUT", "REASONING"))}
    cached = {kind.value for kind in TokenType if re.fullmatch(CACHED.value, kind.value)}
    assert TokenType.CACHE_READ.value in cached
    assert not cached & answered
    assert all(kind.startswith("cache_read") for kind in cached)
