"""docs/metrics.md."""

from __future__ import annotations

from pathlib import Path

from agent.sinks.metrics import EVENTS, HEALTH
from agent.sinks.metrics_reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_current() -> None:
    """``make docs`` was run after the last change of a metric."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_metric_is_on_it() -> None:
    """Under the name that stands on /metrics, once, with its help."""
    lines = reference().splitlines()
    for metric in (*EVENTS, *HEALTH):
        (row,) = [line for line in lines if line.startswith(f"| `{metric.exposed_name}` |")]
        assert metric.help in row
