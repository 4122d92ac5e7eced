"""What all dashboards have in common: the data source, variables, links between them, and how they become JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as model

from agent.sinks import metrics
from agent.sinks.metrics import Metric
from charts.dashboards.panels import DATASOURCE, Panel
from charts.dashboards.promql import INSTANCE, Scope

TAG = "podtab"

# Part of the addresses that people keep: never change one.
OVERVIEW, WORKLOAD, MODELS, CAPTURE = "podtab-ai-cost", "podtab-workload", "podtab-models", "podtab-capture"

# What a variable is called, and the metric that knows its values.
_VARIABLES: dict[str, tuple[str, Metric]] = {
    "namespace": ("Namespace", metrics.CALLS),
    "workload": ("Workload", metrics.CALLS),
    "team": ("Team", metrics.CALLS),
    "provider": ("Provider", metrics.CALLS),
    "model": ("Model", metrics.CALLS),
    INSTANCE: ("Agent", metrics.BUILD),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    title: str
    panels: Sequence[Panel]


def assemble(
    *, uid: str, title: str, about: str, scope: Scope, rows: Sequence[Row], since: str = "now-6h"
) -> model.Dashboard:
    """A dashboard; panels stand in their order, from left to right, and their ids are their places."""
    frame = (
        build.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags([TAG, "ai-cost"])
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .refresh("1m")
        .time(since, "now")
        # Days and months as the providers bill them.
        .timezone("utc")
        .link(
            build.DashboardLink("AI cost")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .keep_time(True)
            .include_vars(True)
            .tooltip("The other dashboards of podtab")
        )
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    known: list[str] = []
    for name in scope.variables:
        frame.with_variable(_variable(name, known))
        known.append(name)
    for row in rows:
        frame.with_row(build.Row(row.title))
        for panel in row.panels:
            frame.with_panel(panel)
    dashboard = frame.build()
    for place, built in enumerate(dashboard.panels or [], 1):
        built.id_val = place
    return dashboard


def _variable(name: str, known: Sequence[str]) -> build.QueryVariable:
    """Its values are those that exist within what the variables before it chose."""
    label, metric = _VARIABLES[name]
    within = Scope(tuple(other for other in known if other in metric.labels)).select(metric)
    return (
        build.QueryVariable(name)
        .label(label)
        .query(f"label_values({within}, {name})")
        .datasource(DATASOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(text=["All"], value=["$__all"]))
    )


def to_json(dashboard: model.Dashboard) -> str:
    """As it is checked in: what Grafana's own types make of it when they read it back, which fills in a few defaults."""
    register_default_plugins()
    read = model.Dashboard.from_json(json.loads(json.dumps(dashboard, cls=JSONEncoder)))
    return json.dumps(read, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
