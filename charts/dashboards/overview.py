"""AI cost overview: what is spent, since when, by whom, on what, and what changed."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from agent.sinks.metrics import CALLS, COST, UNPRICED_CALLS
from charts.dashboards import panels, promql
from charts.dashboards.figures import BILLED, CHARGED, NO_PRICE, cost_per_call, dollars_per_hour, unpriced
from charts.dashboards.frame import CAPTURE, MODELS, OVERVIEW, WORKLOAD, Row, assemble
from charts.dashboards.panels import COUNT, DOLLARS, Column, Size, Text, link
from charts.dashboards.promql import Scope

SCOPE = Scope(("namespace", "workload", "team", "model"))

_NOTHING = "No cost yet: no priced call was seen"
_FIGURE = Size(w=4, h=4)
_LOOK_INTO = "Look into ${__field.labels.workload}"

_PRICED = f"Calls without a known price are not in it; see “{NO_PRICE}”."

# What is left of this month, in days, by the server's clock in UTC.
_DAYS_LEFT = "(days_in_month() - day_of_month() + 1 - (hour() * 60 + minute()) / 1440)"


def _movers() -> str:
    """The ten workloads whose cost changed most, up or down; one that is missing on either side cost nothing there."""
    who = ("namespace", "workload")
    now = SCOPE.grown(COST, by=who)
    then = f'label_replace(-1 * {promql.before(now)}, "sign", "minus", "", "")'
    change = f"sum by (namespace, workload) ({now} or {then})"
    return f"{change} and topk(10, abs({change}) > 0)"


def _now() -> Row:
    spent = SCOPE.grown(COST)
    return Row(
        title="Now",
        panels=[
            panels.figure(
                Text(title="Cost per hour, now", about=f"What the last 60 minutes cost. {_PRICED}", empty=_NOTHING),
                _FIGURE,
                spent,
                DOLLARS,
                since="1h",
            ),
            panels.figure(
                Text(
                    title="Cost today",
                    about=f"Since midnight UTC, which is when providers begin a day. {_PRICED}",
                    empty=_NOTHING,
                ),
                _FIGURE,
                spent,
                DOLLARS,
                since="now/d",
            ),
            panels.figure(
                Text(
                    title="Cost this month",
                    about="Since the first of the month, UTC, as far back as Prometheus keeps data: 15 days if it was not told otherwise. "
                    + _PRICED,
                    empty=_NOTHING,
                ),
                _FIGURE,
                spent,
                DOLLARS,
                since="now/M",
            ),
            panels.figure(
                Text(
                    title="Month, at this pace",
                    about="This month's cost so far, and what is left of the month at the pace of the last 24 hours. A forecast, not a bill.",
                    empty=_NOTHING,
                ),
                _FIGURE,
                f"{spent} + {SCOPE.grown(COST, window='1d')} * {_DAYS_LEFT}",
                DOLLARS,
                since="now/M",
            ),
            panels.figure(
                Text(title="Cost in this time range", about=f"Of the time chosen above. {_PRICED}", empty=_NOTHING),
                _FIGURE,
                spent,
                DOLLARS,
            ),
            panels.figure(
                Text(
                    title=NO_PRICE,
                    about="Calls that were billed and whose price is not known: their cost is missing in every figure here. Click to see which.",
                    empty="No calls seen",
                ),
                _FIGURE,
                unpriced(SCOPE),
                COUNT,
                steps=panels.BAD_ABOVE_ZERO,
                links=[link("Which?", CAPTURE)],
            ),
        ],
    )


def _over_time() -> Row:
    about = "Dollars an hour at each moment; stacked, so that the top is the whole. " + _PRICED
    hour = "No cost in this time range"
    namespace = promql.called(dollars_per_hour(SCOPE, "namespace"), "namespace", "(no namespace)")
    return Row(
        title="Over time",
        panels=[
            panels.lines(
                Text(title="Cost per hour by namespace", about=about, empty=hour),
                Size(w=12, h=8),
                {"{{namespace}}": namespace},
                DOLLARS,
                stacked=True,
                links=[link("Workloads of ${__field.labels.namespace}", WORKLOAD, "namespace")],
            ),
            panels.lines(
                Text(title="Cost per hour by model", about=about, empty=hour),
                Size(w=12, h=8),
                {"{{model}}": dollars_per_hour(SCOPE, "model")},
                DOLLARS,
                stacked=True,
                links=[link("Look into ${__field.labels.model}", MODELS, "model")],
            ),
        ],
    )


def _by_whom() -> Row:
    empty = "No cost in this time range"

    def ten(*by: str) -> str:
        return f"topk(10, {SCOPE.grown(COST, by=by)} > 0)"

    return Row(
        title="Who and what, in this time range",
        panels=[
            panels.bars(
                Text(title="Cost by workload", about=f"The ten dearest. {_PRICED}", empty=empty),
                Size(w=8, h=10),
                f"sort_desc({ten('namespace', 'workload')})",
                "{{namespace}} / {{workload}}",
                DOLLARS,
                links=[link(_LOOK_INTO, WORKLOAD, "namespace", "workload")],
            ),
            panels.shares(
                Text(
                    title="Cost by team",
                    about="Teams are named by labels of pods and namespaces: see attribution.labels in the configuration. "
                    + _PRICED,
                    empty=empty,
                ),
                Size(w=5, h=10),
                promql.called(ten("team"), "team", "(no team)"),
                "{{team}}",
                DOLLARS,
            ),
            panels.shares(
                Text(title="Cost by namespace", about=_PRICED, empty=empty),
                Size(w=5, h=10),
                promql.called(ten("namespace"), "namespace", "(no namespace)"),
                "{{namespace}}",
                DOLLARS,
                links=[link("Workloads of ${__field.labels.namespace}", WORKLOAD, "namespace")],
            ),
            panels.bars(
                Text(
                    title="Cost by model",
                    about=f"The ten dearest; models as the provider names what it served. {_PRICED}",
                    empty=empty,
                ),
                Size(w=6, h=10),
                f"sort_desc({ten('provider', 'model')})",
                "{{model}}",
                DOLLARS,
                links=[link("Look into ${__field.labels.model}", MODELS, "provider", "model")],
            ),
        ],
    )


def _tables() -> Row:
    by = ("namespace", "workload", "team")
    open_workload = link("Look into this workload", WORKLOAD, "namespace", "workload", source="__data.fields")
    return Row(
        title="Workloads",
        panels=[
            panels.rows(
                Text(
                    title="Top movers",
                    about="Workloads whose cost changed most against the time range before this one, of the same length. "
                    "One that was not there before cost nothing then; so does everything if podtab is younger than two ranges.",
                    empty="No cost changed between the time range before and this one",
                ),
                Size(w=8, h=8),
                {"namespace": "Namespace", "workload": "Workload"},
                [Column(name="Change", expr=_movers(), unit=DOLLARS, style="sign")],
                sort="Change",
                links={
                    "Workload": link(
                        "Look into this workload", WORKLOAD, "namespace", "workload", source="__data.fields"
                    )
                },
            ),
            panels.rows(
                Text(
                    title="All workloads",
                    about=f"In this time range. Cost per call is of calls that have a price. {BILLED}",
                    empty="No calls in this time range",
                ),
                Size(w=16, h=8),
                {"namespace": "Namespace", "workload": "Workload", "team": "Team"},
                [
                    Column(name="Cost", expr=SCOPE.grown(COST, by=by), unit=DOLLARS, empty="no price", style="bar"),
                    Column(name="Calls", expr=SCOPE.grown(CALLS, by=by), unit=COUNT),
                    Column(name="Cost per call", expr=cost_per_call(SCOPE, *by), unit=DOLLARS, empty="no price"),
                    Column(
                        name="Without a price",
                        unit=COUNT,
                        style="bad",
                        expr=promql.or_zero(
                            SCOPE.grown(UNPRICED_CALLS, CHARGED, by=by),
                            SCOPE.grown(CALLS, by=by),
                        ),
                    ),
                ],
                sort="Cost",
                links={"Workload": open_workload},
            ),
        ],
    )


def overview() -> model.Dashboard:
    return assemble(
        uid=OVERVIEW,
        title="AI cost overview",
        about="What pods spend on AI: now, today, this month, by namespace, workload, team and model. Click a name to look into it.",
        scope=SCOPE,
        rows=[_now(), _over_time(), _by_whom(), _tables()],
    )
