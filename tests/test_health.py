"""What the agent says of itself; tests/kernel scrapes a running one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from agent.capture.judge import Judged
from agent.capture.peers import Fate
from agent.capture.targets import LibraryStatus, Sight
from agent.config import loads
from agent.health import AgentHealth, capture_state, why_not_in_force
from agent.pipeline.hellos import Fate as Said
from agent.sinks import metrics

SEEING = Sight(read=100, denied=3)


def library(*, slow: int = 0, error: str = "", unreadable: bool = False) -> LibraryStatus:
    return LibraryStatus(
        path="/lib/libssl.so.3",
        processes=1,
        sites=0 if error else 6,
        slow_sites=tuple(f"SSL_read {number}" for number in range(slow)),
        missing=(),
        error=error,
        unreadable=unreadable,
    )


NOTICED = replace(library(), sites=0, unreadable=True)
SEALED = library(error="rustls: inlined everywhere", unreadable=True)


@pytest.mark.parametrize(
    ("libraries", "sight", "reason"),
    [
        ([], SEEING, ""),
        ([library()], SEEING, ""),
        ([library(), library(error="too old")], SEEING, ""),
        ([SEALED], SEEING, ""),
        ([library(), SEALED], SEEING, ""),
        ([library(error="needs CAP_BPF")], SEEING, "needs CAP_BPF"),
        ([SEALED, library(error="needs CAP_BPF")], SEEING, "needs CAP_BPF"),
        ([NOTICED, library(error="needs CAP_BPF")], SEEING, "needs CAP_BPF"),
        ([NOTICED], SEEING, ""),
        ([library()], Sight(read=3, denied=97), "97 of 100 processes"),
        ([], Sight(read=0, denied=1), "SYS_PTRACE"),
    ],
)
def test_asked_for_and_not_in_force_has_its_reason(libraries: list[LibraryStatus], sight: Sight, reason: str) -> None:
    """Every link refused, or most processes hidden; one broken library, or a stack that nobody can read, is a word about its pods."""
    said = why_not_in_force(libraries, sight)
    assert bool(said) == bool(reason)
    assert reason in said


def test_a_library_without_a_link_counts_as_failed_and_its_sites_as_none() -> None:
    """What is not attached is neither fast nor slow; a stack that is only noticed is neither probed nor failed."""
    said = capture_state([library(slow=2), library(slow=3, error="can't attach"), NOTICED], "uprobe_multi", "")
    assert (said.libraries_probed, said.libraries_failed) == (1, 1)
    assert (said.sites_emulated, said.sites_single_stepped) == (4, 2)


def test_samples_come_from_the_parts_at_each_scrape() -> None:
    """Nothing is kept; without an API server there is nothing to say of one."""
    parts: dict[str, Any] = {
        "kernel": SimpleNamespace(
            counters=lambda: {"records_dropped": 3},
            ring=SimpleNamespace(fill_bytes=0),
            link_kind="uprobe_multi",
            peers=SimpleNamespace(fates={Fate.GIVEN: 9}),
            egress=SimpleNamespace(problem=""),
        ),
        "targets": SimpleNamespace(processes=4, judged=Counter({Judged.TLS: 2}), lost_news=8),
        "pipeline": SimpleNamespace(open_connections=5),
        "attributor": SimpleNamespace(held_calls=6, doubts={}),
        "sink": SimpleNamespace(limiter=SimpleNamespace(turned_away={})),
        "coverage": SimpleNamespace(samples=dict),
        "joining": SimpleNamespace(told=SimpleNamespace(samples=dict), hellos=SimpleNamespace(fates={Said.OTHER: 7})),
        "pricer": SimpleNamespace(
            book=SimpleNamespace(catalog=SimpleNamespace(published=None)), price_book="2026-11-01+abc"
        ),
    }
    health = AgentHealth(config=loads(""), watch=None, capture=lambda: capture_state([], "uprobe_multi", ""), **parts)
    parts["kernel"].ring.fill_bytes = 7
    samples = health.samples()
    assert samples[metrics.KERNEL_EVENTS] == {("records_dropped",): 3.0}
    assert samples[metrics.PEERS] == {("given",): 9.0}
    assert samples[metrics.HELLOS] == {("other",): 7.0}
    parts["kernel"].egress.problem = "not allowed"
    assert health.samples()[metrics.HELLOS] == {}, "none seen is not none opened"
    assert samples[metrics.RING_FILL] == {(): 7.0}
    assert samples[metrics.NEWS_LOST] == {(): 8.0}
    assert metrics.API_SERVER not in samples
