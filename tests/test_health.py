"""What the agent says of itself; tests/kernel scrapes a running one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from agent.capture.targets import LibraryStatus
from agent.config import loads
from agent.health import AgentHealth, capture_state
from agent.sinks import metrics


def library(*, slow: int = 0, error: str = "") -> LibraryStatus:
    return LibraryStatus(
        path="/lib/libssl.so.3",
        processes=1,
        sites=0 if error else 6,
        slow_sites=tuple(f"SSL_read {number}" for number in range(slow)),
        missing=(),
        error=error,
    )


def test_a_library_without_a_link_counts_as_failed_and_its_sites_as_none() -> None:
    """What is not attached is neither fast nor slow."""
    said = capture_state([library(slow=2), library(slow=3, error="can't attach")], "uprobe_multi", "")
    assert (said.libraries_probed, said.libraries_failed) == (1, 1)
    assert (said.sites_emulated, said.sites_single_stepped) == (4, 2)


def test_samples_come_from_the_parts_at_each_scrape() -> None:
    """Nothing is kept; without an API server there is nothing to say of one."""
    parts: dict[str, Any] = {
        "kernel": SimpleNamespace(
            counters=lambda: {"records_dropped": 3}, ring=SimpleNamespace(fill_bytes=0), link_kind="uprobe_multi"
        ),
        "targets": SimpleNamespace(processes=4),
        "pipeline": SimpleNamespace(open_connections=5),
        "attributor": SimpleNamespace(held_calls=6, doubts={}),
        "sink": SimpleNamespace(limiter=SimpleNamespace(turned_away={})),
        "coverage": SimpleNamespace(samples=dict),
        "pricer": SimpleNamespace(
            book=SimpleNamespace(catalog=SimpleNamespace(published=None)), price_book="2026-11-01+abc"
        ),
    }
    health = AgentHealth(config=loads(""), watch=None, capture=lambda: capture_state([], "uprobe_multi", ""), **parts)
    parts["kernel"].ring.fill_bytes = 7
    samples = health.samples()
    assert samples[metrics.KERNEL_EVENTS] == {("records_dropped",): 3.0}
    assert samples[metrics.RING_FILL] == {(): 7.0}
    assert metrics.API_SERVER not in samples
