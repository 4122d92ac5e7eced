"""Models and providers: what each costs, how fast it answers, how often it refuses."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from agent.sinks.metrics import CALLS, COST, DURATION, FIRST_TOKEN, TOKENS
from charts.dashboards import figures, panels, promql
from charts.dashboards.figures import ANSWERED, BILLED, FAILED, SENT
from charts.dashboards.frame import MODELS, WORKLOAD, Row, assemble
from charts.dashboards.panels import COUNT, DOLLARS, PER_SECOND, SECONDS, SHARE, Column, Size, Text, link
from charts.dashboards.promql import Scope

SCOPE = Scope(("provider", "model", "namespace"))

_FIGURE = Size(w=4, h=4)
_HALF = Size(w=12, h=8)
_NO_CALLS = "No calls in this time range"
_NO_COST = "No priced call in this time range"
_MILLION = "All tokens together, cached ones too, of calls that have a price: what a million really cost, not what the list says."


def _figures() -> Row:
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
                Text(title="Calls", about="To models, failed ones included.", empty=_NO_CALLS),
                _FIGURE,
                SCOPE.grown(CALLS),
                COUNT,
            ),
            panels.figure(
                Text(
                    title="Tokens",
                    about="As the answers state them, sent and answered.",
                    empty="No answer stated tokens",
                ),
                _FIGURE,
                SCOPE.grown(TOKENS),
                COUNT,
            ),
            panels.figure(
                Text(title="Cost per million tokens", about=_MILLION, empty=_NO_COST),
                _FIGURE,
                figures.cost_per_million_tokens(SCOPE),
                DOLLARS,
            ),
            panels.figure(
                Text(
                    title="Models in use",
                    about="That were called in this time range, by the name of what was served.",
                    empty=_NO_CALLS,
                ),
                _FIGURE,
                f"count({SCOPE.grown(CALLS, by=('provider', 'model'))} > 0)",
                COUNT,
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
        ],
    )


def _models() -> Row:
    by = ("provider", "model")
    return Row(
        title="Models",
        panels=[
            panels.rows(
                Text(
                    title="Models side by side",
                    about=f"In this time range. {BILLED} Cost per million tokens: {_MILLION}",
                    empty=_NO_CALLS,
                ),
                Size(w=24, h=9),
                {"provider": "Provider", "model": "Model"},
                [
                    Column(name="Cost", expr=SCOPE.grown(COST, by=by), unit=DOLLARS, empty="no price", style="bar"),
                    Column(name="Calls", expr=SCOPE.grown(CALLS, by=by), unit=COUNT),
                    Column(
                        name="Cost per call", expr=figures.cost_per_call(SCOPE, *by), unit=DOLLARS, empty="no price"
                    ),
                    Column(
                        name="$ per million tokens",
                        expr=figures.cost_per_million_tokens(SCOPE, *by),
                        unit=DOLLARS,
                        empty="no price",
                    ),
                    Column(name="Tokens sent", expr=SCOPE.grown(TOKENS, SENT, by=by), unit=COUNT),
                    Column(name="answered", expr=SCOPE.grown(TOKENS, ANSWERED, by=by), unit=COUNT),
                    Column(name="Cache hits", expr=figures.cached_share(SCOPE, *by), unit=SHARE),
                    Column(name="Failed", expr=figures.failed_share(SCOPE, *by), unit=SHARE, style="bad"),
                    Column(
                        name="95 % faster than",
                        expr=SCOPE.quantile(0.95, DURATION, by=by, window="$__range"),
                        unit=SECONDS,
                    ),
                ],
                sort="Cost",
                links={"Model": link("Workloads that call it", WORKLOAD, "model", source="__data.fields")},
            )
        ],
    )


def _money() -> Row:
    million = f"sort_desc(topk(10, {figures.cost_per_million_tokens(SCOPE, 'model')}))"
    provider = f"{SCOPE.grown(COST, by=('provider',))} > 0"
    return Row(
        title="Money",
        panels=[
            panels.lines(
                Text(
                    title="Cost per hour by provider", about="Dollars an hour at each moment, stacked.", empty=_NO_COST
                ),
                Size(w=10, h=9),
                {"{{provider}}": figures.dollars_per_hour(SCOPE, "provider")},
                DOLLARS,
                stacked=True,
            ),
            panels.shares(
                Text(title="Cost by provider", about="In this time range.", empty=_NO_COST),
                Size(w=5, h=9),
                provider,
                "{{provider}}",
                DOLLARS,
            ),
            panels.bars(
                Text(title="Cost per million tokens by model", about=f"The ten dearest. {_MILLION}", empty=_NO_COST),
                Size(w=9, h=9),
                million,
                "{{model}}",
                DOLLARS,
                links=[link("Workloads that call it", WORKLOAD, "model")],
            ),
        ],
    )


def _work() -> Row:
    speed = (
        f"{SCOPE.per_second(TOKENS, ANSWERED, by=('model',))} / "
        f"{promql.above_zero(SCOPE.per_second(DURATION, part='sum', by=('model',)))}"
    )
    failed = promql.or_none(
        SCOPE.per_second(CALLS, FAILED, by=("provider", "outcome")), SCOPE.per_second(CALLS), "provider"
    )
    return Row(
        title="Answers",
        panels=[
            panels.lines(
                Text(
                    title="Duration by model",
                    about="95 % of calls are faster. From the first byte sent to the last received.",
                    empty=_NO_CALLS,
                ),
                _HALF,
                {"{{model}}": SCOPE.quantile(0.95, DURATION, by=("model",))},
                SECONDS,
            ),
            panels.lines(
                Text(
                    title="Time to first token by model",
                    about="95 % of streamed answers begin sooner. Answers that come whole are not in it.",
                    empty="No streamed answers in this time range",
                ),
                _HALF,
                {"{{model}}": SCOPE.quantile(0.95, FIRST_TOKEN, by=("model",))},
                SECONDS,
            ),
            panels.lines(
                Text(
                    title="Speed by model",
                    about="Tokens answered, reasoning included, for each second that its calls took.",
                    empty="No answer stated tokens in this time range",
                ),
                _HALF,
                {"{{model}}": speed},
                COUNT,
            ),
            panels.lines(
                Text(
                    title="Failed calls by provider",
                    about="Calls a second that did not end well, by outcome.",
                    empty=_NO_CALLS,
                ),
                _HALF,
                {"{{provider}} {{outcome}}": failed},
                PER_SECOND,
                stacked=True,
            ),
            panels.lines(
                Text(title="Calls by model", about="Calls a second, failed ones included.", empty=_NO_CALLS),
                _HALF,
                {"{{model}}": SCOPE.per_second(CALLS, by=("model",))},
                PER_SECOND,
                stacked=True,
            ),
            panels.lines(
                Text(
                    title="Cost per hour by operation",
                    about="chat, embeddings, generate_content and others, stacked.",
                    empty=_NO_COST,
                ),
                _HALF,
                {"{{operation}}": figures.dollars_per_hour(SCOPE, "operation")},
                DOLLARS,
                stacked=True,
            ),
        ],
    )


def models() -> model.Dashboard:
    return assemble(
        uid=MODELS,
        title="AI cost: models and providers",
        about="What each model and provider costs, how fast it answers and how often it fails, over all workloads.",
        scope=SCOPE,
        rows=[_figures(), _models(), _money(), _work()],
    )
