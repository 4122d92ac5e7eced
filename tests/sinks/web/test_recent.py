"""The ring of last calls."""

from __future__ import annotations

from agent.sinks.web.recent import Recent
from tests.sinks.entries import entry


def pods(ring: Recent, **wanted: str) -> list[str]:
    newest = ring.newest(namespace=wanted.get("namespace"), pod=wanted.get("pod"), limit=int(wanted.get("limit", "99")))
    return [one.workload.pod for one in newest]


def test_newest_first_and_no_more_than_asked() -> None:
    """A limit keeps the newest."""
    ring = Recent()
    for number in range(5):
        ring.accept(entry(f"web-{number}"))
    assert pods(ring) == ["web-4", "web-3", "web-2", "web-1", "web-0"]
    assert pods(ring, limit="2") == ["web-4", "web-3"]


def test_filters_count_only_what_they_let_through() -> None:
    """The limit is of what is shown."""
    ring = Recent()
    for namespace in ("shop", "bank", "shop", "bank"):
        ring.accept(entry("web-1", namespace=namespace))
    ring.accept(entry("web-2", namespace="shop"))
    assert pods(ring, namespace="shop", pod="web-1", limit="2") == ["web-1", "web-1"]
    assert pods(ring, namespace="bank", pod="web-2") == []


def test_it_holds_no_more_than_its_limit() -> None:
    """Fed for ever, it keeps the last."""
    ring = Recent(limit=3)
    for number in range(1000):
        ring.accept(entry(f"web-{number}"))
    assert pods(ring) == ["web-999", "web-998", "web-997"]
