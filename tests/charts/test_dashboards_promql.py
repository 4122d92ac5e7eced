"""Queries are made from the table of metrics, or not at all."""

from __future__ import annotations

import pytest

from agent.sinks.metrics import BUILD, CALLS, COST, DURATION
from charts.dashboards import promql
from charts.dashboards.promql import Scope

TEAMS = Scope(("namespace", "team"))


def test_a_label_that_the_metric_lacks_stops_the_generator() -> None:
    """In a matcher as in a grouping."""
    with pytest.raises(ValueError, match="podtab_cost_usd_total has no label outcome"):
        TEAMS.grown(COST, promql.equal("outcome", "ok"))
    with pytest.raises(ValueError, match="podtab_call_duration_seconds has no label team"):
        TEAMS.quantile(0.5, DURATION, by=("team",))


def test_variables_narrow_only_what_has_their_label() -> None:
    """A histogram has no team: it is narrowed by the namespace alone; a gauge of the agent's by nothing."""
    assert TEAMS.select(CALLS) == 'podtab_calls_total{namespace=~"$namespace",team=~"$team"}'
    assert TEAMS.select(DURATION, part="sum") == 'podtab_call_duration_seconds_sum{namespace=~"$namespace"}'
    assert TEAMS.select(BUILD) == "podtab_build_info"
    assert Scope((promql.INSTANCE,)).select(BUILD) == 'podtab_build_info{instance=~"$instance"}'


def test_a_rate_is_over_the_rate_interval() -> None:
    """So that it is right at every zoom and scrape interval."""
    assert Scope(()).per_second(COST, by=("team",)) == "sum by (team) (rate(podtab_cost_usd_total[$__rate_interval]))"
