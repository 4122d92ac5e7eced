"""
How long to wait before the next try: random between nothing and a ceiling that doubles ("full jitter").

5,000 agents lose the same API server in the same moment.  If each waited the same time they would all come back together and
knock it over again; spread over the whole interval, they come as a steady trickle.
"""

from __future__ import annotations

import random
from collections.abc import Callable

Jitter = Callable[[], float]
"""A number from 0 to below 1; tests give their own."""

_RANDOM: Jitter = random.SystemRandom().random


class Backoff:
    def __init__(self, first_seconds: float, last_seconds: float, jitter: Jitter = _RANDOM) -> None:
        self._first, self._last = first_seconds, last_seconds
        self._jitter = jitter
        self._tries = 0

    def wait_seconds(self, at_least: float = 0.0) -> float:
        """For the next try.  ``at_least`` is what the server asked for; the jitter comes on top of it."""
        ceiling = min(self._first * 2.0 ** min(self._tries, 30), self._last)
        self._tries += 1
        return min(at_least, self._last) + ceiling * self._jitter()

    def reset(self) -> None:
        """It works again."""
        self._tries = 0


def spread(low: float, high: float, jitter: Jitter = _RANDOM) -> float:
    """Anywhere between."""
    return low + (high - low) * jitter()
