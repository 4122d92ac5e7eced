"""Queries read from a dashboard's JSON."""

from __future__ import annotations

import json
import re

import pytest

from charts.dashboards.queries import UnknownVariableError, queries, substitute, targets
from tests.charts.conftest import CHART

DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))


def panel(expr: str, **more: object) -> dict[str, object]:
    return {"type": "stat", "title": "one", "targets": [{"refId": "A", "expr": expr}], **more}


def dashboard(*panels: dict[str, object]) -> dict[str, object]:
    variables = [{"name": "datasource", "type": "datasource"}, {"name": "team", "type": "query", "allValue": ".*"}]
    return {"panels": list(panels), "templating": {"list": variables}}


def test_every_target_of_every_panel() -> None:
    """One entry a target, those of collapsed rows too."""
    row = {"type": "row", "title": "r", "panels": [panel("b")]}
    assert queries(dashboard(panel("a"), row)) == [("one", "a"), ("one", "b")]


def test_variables_are_replaced_and_the_caller_wins() -> None:
    """Template variables stand for all their values, Grafana's own for a minute or an hour, if the caller does not say."""
    one = dashboard(panel('x{team=~"$team"}[$__range] offset ${__range}'))
    assert queries(one) == [("one", 'x{team=~".*"}[1h] offset 1h')]
    assert queries(one, {"team": "a|b", "__range": "6h"}) == [("one", 'x{team=~"a|b"}[6h] offset 6h')]


def test_one_name_may_begin_with_another() -> None:
    """$__rate_interval is not $__rate and $model_a is not $model."""
    assert substitute("$model_a $model", {"model": "m", "model_a": "a"}) == "a m"


def test_an_unknown_variable_is_an_error() -> None:
    """It would be a matcher that matches nothing, and look like no data."""
    with pytest.raises(UnknownVariableError, match="nobody"):
        queries(dashboard(panel("x{a=~'$nobody'}")))


def test_a_panels_own_time_range_is_told() -> None:
    """Today and this month are the panel's, not the dashboard's."""
    (found,) = targets(dashboard(panel("x", timeFrom="now/d")))
    assert found.since == "now/d"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_nothing_is_left_to_replace(path: object) -> None:
    """In the shipped dashboards, with no word of the caller's."""
    for title, expr in queries(json.loads(path.read_text())):  # type: ignore[attr-defined]
        assert not re.search(r"\$", expr), title
