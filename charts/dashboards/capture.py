"""Capture health and evidence: how far the dollars can be trusted, and what is not in them."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from agent.model import CoverageReason, Evidence, Joined
from agent.sinks.metrics import (
    BUILD,
    CALLS,
    COVERAGE,
    LOST_BYTES,
    MODEL_CONNECTIONS,
    UNPRICED_CALLS,
    UNPRICED_TOKENS,
    UNSUPPORTED,
)
from charts.dashboards import figures, panels, promql
from charts.dashboards.figures import NO_PRICE
from charts.dashboards.frame import CAPTURE, WORKLOAD, Row, assemble
from charts.dashboards.health import NO_AGENT, SCOPE, agents, kernel
from charts.dashboards.panels import (
    BYTES,
    COUNT,
    PER_SECOND,
    SHARE,
    Column,
    Size,
    Text,
    link,
)

_FIGURE = Size(w=4, h=4)
_NO_CALLS = "No calls in this time range"

_SERVED = promql.differs("evidence", Evidence.NOT_APPLICABLE.value)


def _evidence_share(*evidence: Evidence) -> str:
    served = SCOPE.grown(CALLS, _SERVED)
    known = SCOPE.grown(CALLS, promql.one_of("evidence", *[one.value for one in evidence]))
    return f"{promql.or_zero(known, served)} / {promql.above_zero(served)}"


def _evidence() -> Row:
    return Row(
        title="Evidence: how far the dollars can be trusted",
        panels=[
            panels.figure(
                Text(
                    title="On the provider's own word",
                    about="Share of served calls whose usage the provider itself counted. Failed calls are not in it.",
                    empty=_NO_CALLS,
                ),
                _FIGURE,
                _evidence_share(Evidence.REPORTED),
                SHARE,
                steps=((None, "red"), (0.9, "orange"), (0.99, "green")),
            ),
            panels.figure(
                Text(
                    title="Estimated",
                    about="Share of served calls whose tokens podtab counted itself.",
                    empty=_NO_CALLS,
                ),
                _FIGURE,
                _evidence_share(Evidence.ESTIMATED),
                SHARE,
                steps=((None, "green"), (0.05, "orange")),
            ),
            panels.figure(
                Text(
                    title="Partial or absent",
                    about="Share of served calls of which bytes are missing (their cost is a lower bound), or of which nothing says what they used: "
                    "streams without include_usage.",
                    empty=_NO_CALLS,
                ),
                _FIGURE,
                _evidence_share(Evidence.PARTIAL, Evidence.ABSENT),
                SHARE,
                steps=((None, "green"), (0.01, "orange")),
            ),
            panels.figure(
                Text(
                    title=NO_PRICE,
                    about="Billed calls whose price is not known: their cost is in no figure.",
                    empty=_NO_CALLS,
                ),
                _FIGURE,
                figures.unpriced(SCOPE),
                COUNT,
                steps=panels.BAD_ABOVE_ZERO,
            ),
            panels.figure(
                Text(
                    title="Bytes of calls lost",
                    about="Bytes of calls that were seen and could not be read.",
                    empty=_NO_CALLS,
                ),
                _FIGURE,
                promql.or_zero(SCOPE.grown(LOST_BYTES), SCOPE.grown(CALLS)),
                BYTES,
                steps=panels.BAD_ABOVE_ZERO,
            ),
            panels.figure(
                Text(
                    title="Exchanges not read",
                    about="With a known provider, in an API that podtab does not read: their cost is not known.",
                    empty=NO_AGENT,
                ),
                _FIGURE,
                promql.or_zero(SCOPE.grown(UNSUPPORTED), SCOPE.latest(BUILD)),
                COUNT,
                steps=panels.BAD_ABOVE_ZERO,
            ),
            panels.lines(
                Text(
                    title="Calls by evidence",
                    about="reported: the provider's own count; estimated: counted by podtab; partial: a lower bound; absent: nothing says; "
                    "not_applicable: failed calls.",
                    empty=_NO_CALLS,
                ),
                Size(w=12, h=8),
                {"{{evidence}}": SCOPE.per_second(CALLS, by=("evidence",))},
                PER_SECOND,
                stacked=True,
            ),
            panels.lines(
                Text(
                    title="Calls without a price by reason",
                    about="Calls a second; failed ones, which cost nothing, are left out.",
                    empty=_NO_CALLS,
                ),
                Size(w=12, h=8),
                {
                    "{{reason}}": promql.or_none(
                        SCOPE.per_second(UNPRICED_CALLS, figures.CHARGED, by=("reason",)),
                        SCOPE.per_second(CALLS),
                        "reason",
                    )
                },
                PER_SECOND,
                stacked=True,
            ),
        ],
    )


def _coverage() -> Row:
    readable = promql.equal("reason", CoverageReason.READABLE.value)
    watched = promql.differs("reason", CoverageReason.NOT_SELECTED.value)
    blind = promql.one_of(
        "reason",
        *[one.value for one in CoverageReason if one not in (CoverageReason.READABLE, CoverageReason.NOT_SELECTED)],
    )
    everything = SCOPE.latest(COVERAGE, watched)
    return Row(
        title="Coverage: which processes can be read",
        panels=[
            panels.figure(
                Text(
                    title="Processes that can be read",
                    about="Share of the processes that use TLS and are selected, now. Processes without TLS are not counted.",
                    empty="No process with TLS is known",
                ),
                Size(w=6, h=7),
                f"{promql.or_zero(SCOPE.latest(COVERAGE, readable), everything)} / {promql.above_zero(everything)}",
                SHARE,
                steps=((None, "red"), (0.8, "orange"), (0.95, "green")),
            ),
            panels.lines(
                Text(
                    title="Processes by coverage",
                    about="cannot_decrypt: no probe on its library; missed_start: holds a connection opened before the probe; bytes_lost: within "
                    "ten minutes; not_selected: by the configuration.",
                    empty="No process with TLS is known",
                ),
                Size(w=9, h=7),
                {"{{reason}}": SCOPE.latest(COVERAGE, by=("reason",))},
                COUNT,
                stacked=True,
            ),
            panels.rows(
                Text(
                    title="Workloads that are not read in full",
                    about="Processes that cannot be read, or not in full, and why: what their calls cost may be missing.",
                    empty="Every selected process with TLS can be read",
                ),
                Size(w=9, h=7),
                {"namespace": "Namespace", "workload": "Workload", "reason": "Reason"},
                [
                    Column(
                        name="Processes",
                        unit=COUNT,
                        expr=promql.or_none(
                            promql.above_zero(SCOPE.latest(COVERAGE, blind, by=("namespace", "workload", "reason"))),
                            SCOPE.latest(BUILD),
                            "reason",
                        ),
                    )
                ],
                sort="Processes",
            ),
        ],
    )


def _connections() -> Row:
    """As packets told of them, whatever library opened them: what the probes missed shows here and nowhere else."""
    read = promql.one_of("outcome", Joined.READ.value, Joined.READ_LATE.value)
    settled = promql.one_of("outcome", Joined.READ.value, Joined.NOT_READ.value, Joined.UNKNOWN.value)
    missed = promql.differs("outcome", Joined.READ.value)
    opened = SCOPE.grown(MODEL_CONNECTIONS, settled)
    of_whom = ("namespace", "workload", "provider", "outcome")
    empty = "No connection to a known model API, or packets can't be seen"
    return Row(
        title="Connections to model APIs: how many of them were read",
        panels=[
            panels.figure(
                Text(
                    title="Connections that were read",
                    about="Share of the TLS connections to known model APIs on which a probe read a call. Those on which nothing was asked count as not read.",
                    empty=empty,
                ),
                Size(w=6, h=7),
                f"{SCOPE.grown(MODEL_CONNECTIONS, read)} / {promql.above_zero(opened)}",
                SHARE,
                steps=((None, "red"), (0.5, "orange"), (0.9, "green")),
            ),
            panels.lines(
                Text(
                    title="Connections by outcome",
                    about="Ten seconds after they were opened. unknown: its pod had one that was read and whose socket is not known; it may be that one. "
                    "read_late: had been counted as not_read or unknown before. untold: the pod opened more than 128 a second.",
                    empty=empty,
                ),
                Size(w=9, h=7),
                {"{{outcome}}": SCOPE.per_second(MODEL_CONNECTIONS, by=("outcome",))},
                PER_SECOND,
                stacked=True,
            ),
            panels.rows(
                Text(
                    title="Whose connections were not all read",
                    about="read_late ones were read after all.",
                    empty="All were read, or none was opened",
                ),
                Size(w=9, h=7),
                {"namespace": "Namespace", "workload": "Workload", "provider": "Provider", "outcome": "Outcome"},
                [
                    Column(
                        name="Connections",
                        unit=COUNT,
                        expr=promql.or_none(
                            promql.above_zero(SCOPE.grown(MODEL_CONNECTIONS, missed, by=of_whom)), opened, "outcome"
                        ),
                    )
                ],
                sort="Connections",
            ),
        ],
    )


def _unknown() -> Row:
    known = SCOPE.latest(BUILD)
    model_reason = ("provider", "model", "reason")
    lost = promql.or_none(
        promql.above_zero(SCOPE.grown(LOST_BYTES, by=("namespace", "workload"))), SCOPE.grown(CALLS), "workload"
    )
    return Row(
        title="What is not in the dollars",
        panels=[
            panels.rows(
                Text(
                    title="What has no price",
                    about="unknown_model, unknown_provider: on no price list; no_usage: the answer did not say what it used.",
                    empty="Every call in this time range has a price",
                ),
                Size(w=10, h=8),
                {"provider": "Provider", "model": "Model", "reason": "Reason"},
                [
                    Column(
                        name="Calls",
                        unit=COUNT,
                        expr=promql.or_none(
                            SCOPE.grown(UNPRICED_CALLS, figures.CHARGED, by=model_reason), SCOPE.grown(CALLS), "reason"
                        ),
                    ),
                    Column(
                        name="Tokens",
                        unit=COUNT,
                        expr=promql.or_none(
                            SCOPE.grown(UNPRICED_TOKENS, figures.CHARGED, by=model_reason), SCOPE.grown(CALLS), "reason"
                        ),
                    ),
                ],
                sort="Calls",
            ),
            panels.rows(
                Text(
                    title="Exchanges that are not read",
                    about="With known providers, in APIs that podtab does not read.",
                    empty="None in this time range",
                ),
                Size(w=7, h=8),
                {"provider": "Provider", "reason": "Reason"},
                [
                    Column(
                        name="Exchanges",
                        unit=COUNT,
                        expr=promql.or_none(SCOPE.grown(UNSUPPORTED, by=("provider", "reason")), known, "reason"),
                    )
                ],
                sort="Exchanges",
            ),
            panels.rows(
                Text(
                    title="Bytes lost by workload",
                    about="Bytes of its calls that were seen and could not be read.",
                    empty="None in this time range",
                ),
                Size(w=7, h=8),
                {"namespace": "Namespace", "workload": "Workload"},
                [Column(name="Bytes", unit=BYTES, expr=lost)],
                sort="Bytes",
                links={
                    "Workload": link(
                        "Look into this workload", WORKLOAD, "namespace", "workload", source="__data.fields"
                    )
                },
            ),
        ],
    )


def capture() -> model.Dashboard:
    return assemble(
        uid=CAPTURE,
        title="AI cost: capture health and evidence",
        about="How far the dollars can be trusted: how usage is known, what has no price, what was lost, and whether every agent is well.",
        scope=SCOPE,
        rows=[_evidence(), _coverage(), _connections(), _unknown(), kernel(), agents()],
    )
