"""The table of metrics keeps the rules that Prometheus asks for."""

from __future__ import annotations

import pytest

from agent.model import Outcome
from agent.pricing.leaves import TokenType
from agent.sinks.metrics import CALLS, EVENTS, FIRST_TOKEN, HEALTH, TOKENS, Metric

ALL = (*EVENTS, *HEALTH)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_names(metric: Metric) -> None:
    """Our prefix, no ``_total`` before exposition adds it, a sentence of help."""
    assert metric.name.startswith("podtab_")
    assert not metric.name.endswith("_total")
    assert metric.exposed_name == metric.name + ("_total" if metric.kind == "counter" else "")
    assert metric.help.endswith(".")


def test_no_name_twice() -> None:
    """One metric, one name; no label twice."""
    assert len({metric.name for metric in ALL}) == len(ALL)
    assert all(len(set(metric.labels)) == len(metric.labels) for metric in ALL)


def test_closed_sets_are_told_in_the_help() -> None:
    """Whoever reads the page finds every value that the code can give."""
    assert all(outcome.value in CALLS.help for outcome in Outcome)
    assert all(f" {kind.value}" in TOKENS.help for kind in TokenType)


def test_histograms_have_few_labels() -> None:
    """Each of their series is 17: who and which model, nothing else."""
    assert FIRST_TOKEN.labels == ("namespace", "workload_kind", "workload", "pod", "provider", "model", "operation")
