"""Waiting times between tries."""

from __future__ import annotations

from agent.attribution.backoff import Backoff, spread


def test_ceilings_double_up_to_the_last() -> None:
    """With the largest jitter the wait is the ceiling itself, and success begins anew."""
    backoff = Backoff(1, 60, jitter=lambda: 1.0)
    assert [backoff.wait_seconds() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    backoff.reset()
    assert backoff.wait_seconds() == 1


def test_jitter_covers_the_whole_interval() -> None:
    """Full jitter: from nothing to the ceiling, so that 5,000 agents come as a trickle."""
    values = iter([0.0, 0.5, 0.25])
    backoff = Backoff(8, 60, jitter=lambda: next(values))
    assert [backoff.wait_seconds() for _ in range(3)] == [0.0, 8.0, 8.0]
    waits = [Backoff(10, 60).wait_seconds() for _ in range(200)]
    assert min(waits) < 2 < 8 < max(waits) < 10


def test_a_server_that_names_a_time_is_obeyed_within_bounds() -> None:
    """Retry-After is the least, with jitter on top; an absurd one does not switch the agent off."""
    assert Backoff(1, 60, jitter=lambda: 0.5).wait_seconds(at_least=7) == 7.5
    assert Backoff(1, 60, jitter=lambda: 0.5).wait_seconds(at_least=99_999) == 60.5


def test_spread_is_between() -> None:
    """Ends of watches don't fall together."""
    assert (spread(300, 600, lambda: 0.0), spread(300, 600, lambda: 0.5)) == (300, 450)
