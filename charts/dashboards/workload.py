"""Workload: why it costs what it costs, and how well its calls go."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from agent.sinks.metrics import CALLS, COST, DURATION, FIRST_TOKEN, RETRIES, TOKENS
from charts.dashboards import figures, panels, promql
from charts.dashboards.figures import BILLED
from charts.dashboards.frame import CAPTURE, MODELS, WORKLOAD, Row, assemble
from charts.dashboards.panels import COUNT, DOLLARS, PER_SECOND, SECONDS, SHARE, Column, Size, Text, link
from charts.dashboards.promql import Scope

SCOPE = Scope(("namespace", "workload", "model"))

_FIGURE = Size(w=4, h=4)
_HALF = Size(w=12, h=8)
_NO_CALLS = "No calls of this workload in this time range"
_NO_COST = "No priced call of this workload in this time range"
_NO_CACHE = "No answer mentioned cached tokens"
_NO_STREAM = "No streamed answers in this time range"
_RETRIES = "By the SDK's own mark (x-stainless-retry-count): OpenAI's and Anthropic's SDKs set it, others don't."

_OPEN_MODEL = link("Look into ${__field.labels.model}", MODELS, "model")


def _figures() -> Row:
    calls = SCOPE.grown(CALLS)
    return Row(
        title="In this time range",
        panels=[
            panels.figure(
                Text(title="Cost", about="Of calls with a known price.", empty=_NO_COST),
                _FIGURE,
                SCOPE.grown(COST),
                DOLLARS,
            ),
            panels.figure(
                Text(title="Calls", about="To models, failed ones included.", empty=_NO_CALLS), _FIGURE, calls, COUNT
            ),
            panels.figure(
                Text(title="Cost per call", about=f"Of calls that have a price. {BILLED}", empty=_NO_COST),
                _FIGURE,
                figures.cost_per_call(SCOPE),
                DOLLARS,
            ),
            panels.figure(
                Text(
                    title="Cache hit share",
                    about="Of the tokens sent, those that the provider read from its cache.",
                    empty=_NO_CACHE,
                ),
                _FIGURE,
                figures.cached_share(SCOPE),
                SHARE,
            ),
            panels.figure(
                Text(
                    title="Failed calls",
                    about="Rate limited, refused, answered with a server error, or cut.",
                    empty=_NO_CALLS,
                ),
                _FIGURE,
                figures.failed_share(SCOPE),
                SHARE,
                steps=((None, "green"), (0.01, "orange"), (0.05, "red")),
            ),
            panels.figure(
                Text(title="Retried calls", about=_RETRIES, empty=_NO_CALLS),
                _FIGURE,
                f"{promql.or_zero(SCOPE.grown(RETRIES), calls)} / {promql.above_zero(calls)}",
                SHARE,
                steps=((None, "green"), (0.05, "orange")),
            ),
        ],
    )


def _money() -> Row:
    return Row(
        title="Money and tokens",
        panels=[
            panels.lines(
                Text(title="Cost per hour by model", about="Dollars an hour at each moment, stacked.", empty=_NO_COST),
                _HALF,
                {"{{model}}": figures.dollars_per_hour(SCOPE, "model")},
                DOLLARS,
                stacked=True,
                links=[_OPEN_MODEL],
            ),
            panels.lines(
                Text(title="Cost per call by model", about=f"Of calls that have a price. {BILLED}", empty=_NO_COST),
                _HALF,
                {"{{model}}": figures.cost_per_call_over_time(SCOPE, "model")},
                DOLLARS,
                links=[_OPEN_MODEL],
            ),
            panels.lines(
                Text(
                    title="Tokens per second by type",
                    about="Types do not overlap, so the top is all tokens. input is what was sent fresh; reasoning is billed as output.",
                    empty="No answer stated tokens in this time range",
                ),
                _HALF,
                {"{{type}}": SCOPE.per_second(TOKENS, by=("type",))},
                COUNT,
                stacked=True,
            ),
            panels.lines(
                Text(
                    title="Cache hit share by model",
                    about="Of the tokens sent, those that the provider read from its cache.",
                    empty=_NO_CACHE,
                ),
                _HALF,
                {"{{model}}": figures.cached_share_over_time(SCOPE, "model")},
                SHARE,
                top=1,
                links=[_OPEN_MODEL],
            ),
        ],
    )


def _time() -> Row:
    return Row(
        title="Time",
        panels=[
            panels.lines(
                Text(
                    title="Duration",
                    about="From the first byte of the request to the last of the answer.",
                    empty=_NO_CALLS,
                ),
                _HALF,
                {
                    "half are faster": SCOPE.quantile(0.5, DURATION),
                    "95 % are faster": SCOPE.quantile(0.95, DURATION),
                    "99 % are faster": SCOPE.quantile(0.99, DURATION),
                },
                SECONDS,
            ),
            panels.lines(
                Text(
                    title="Time to first token",
                    about="From the first byte of the request to the first event of a streamed answer. Answers that come whole have none.",
                    empty=_NO_STREAM,
                ),
                _HALF,
                {
                    "half are faster": SCOPE.quantile(0.5, FIRST_TOKEN),
                    "95 % are faster": SCOPE.quantile(0.95, FIRST_TOKEN),
                    "99 % are faster": SCOPE.quantile(0.99, FIRST_TOKEN),
                },
                SECONDS,
            ),
        ],
    )


def _trouble() -> Row:
    calls = SCOPE.per_second(CALLS)
    third = Size(w=8, h=8)
    return Row(
        title="Errors, retries and evidence",
        panels=[
            panels.lines(
                Text(
                    title="Calls by outcome",
                    about="Calls a second. cut: the answer ended before it was whole.",
                    empty=_NO_CALLS,
                ),
                third,
                {"{{outcome}}": SCOPE.per_second(CALLS, by=("outcome",))},
                PER_SECOND,
                stacked=True,
            ),
            panels.lines(
                Text(title="Retried calls over time", about=f"Calls a second. {_RETRIES}", empty=_NO_CALLS),
                third,
                {"retried": promql.or_zero(SCOPE.per_second(RETRIES), calls)},
                PER_SECOND,
            ),
            panels.lines(
                Text(
                    title="Calls by evidence",
                    about="How a call's usage is known. reported: the provider's own count; estimated: counted by podtab; partial: a lower bound; "
                    "absent: nothing says; not_applicable: failed calls.",
                    empty=_NO_CALLS,
                ),
                third,
                {"{{evidence}}": SCOPE.per_second(CALLS, by=("evidence",))},
                PER_SECOND,
                stacked=True,
                links=[link("Capture health and evidence", CAPTURE, namespace="${namespace}")],
            ),
        ],
    )


def _pods() -> Row:
    by = ("namespace", "workload", "pod", "feature")
    return Row(
        title="Pods",
        panels=[
            panels.rows(
                Text(
                    title="Cost by pod and feature",
                    about=f"In this time range; pods that are gone are still in it. {BILLED}",
                    empty=_NO_CALLS,
                ),
                Size(w=24, h=9),
                {"namespace": "Namespace", "workload": "Workload", "pod": "Pod", "feature": "Feature"},
                [
                    Column(name="Cost", expr=SCOPE.grown(COST, by=by), unit=DOLLARS, empty="no price", style="bar"),
                    Column(name="Calls", expr=SCOPE.grown(CALLS, by=by), unit=COUNT),
                    Column(
                        name="Cost per call", expr=figures.cost_per_call(SCOPE, *by), unit=DOLLARS, empty="no price"
                    ),
                    Column(name="Cache hits", expr=figures.cached_share(SCOPE, *by), unit=SHARE),
                    Column(name="Failed", expr=figures.failed_share(SCOPE, *by), unit=SHARE, style="bad"),
                ],
                sort="Cost",
            )
        ],
    )


def workload() -> model.Dashboard:
    return assemble(
        uid=WORKLOAD,
        title="AI cost: workload",
        about="One workload, or several: cost per call, tokens by type, cache, time, errors and retries, down to its pods.",
        scope=SCOPE,
        rows=[_figures(), _money(), _time(), _trouble(), _pods()],
    )
