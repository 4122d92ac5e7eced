"""A busy node for the page's pictures and checks: priced calls of several pods, and processes of every coverage."""

from __future__ import annotations

import time
from dataclasses import replace

from agent.model import CoverageReason, Evidence, Outcome, Process, ProcessCoverage, Usage, Workload
from agent.sinks.coverage import Covered
from tests.pricing.calls import call
from tests.sinks.entries import entry
from tests.sinks.web.sites import Made

# Pod, workload, team, provider, model, input, cached, output, calls.
PODS = (
    ("checkout-assistant-7c9d8f6b54-x2k8q", "Deployment", "checkout-assistant", "payments", "openai", "gpt-4o", 5200, 2100, 640, 9),
    ("inbox-triage-0", "StatefulSet", "inbox-triage", "support", "anthropic", "claude-sonnet-4-5", 8100, 6000, 210, 6),
    ("search-indexer-6hw2v", "Job", "search-indexer", "search", "openai", "text-embedding-3-large", 41000, 0, 0, 14),
    ("summaries-5d4c9b7f6-qq7lz", "Deployment", "summaries", "content", "openai", "gpt-4o-mini", 12800, 0, 900, 11),
    ("night-report-29401-mt5wd", "CronJob", "night-report", "finance", "openai", "house-model", 900, 0, 120, 3),
)  # fmt: skip


def feed(made: Made) -> None:
    """Some calls of each pod, the newest of each at the same time."""
    now = time.time_ns()
    for one in reversed(range(max(pod[-1] for pod in PODS))):
        for number in range(len(PODS)):
            if one < PODS[number][-1]:
                _call(made, number, one, now - (one * 7 + number) * 10**9)


def more(made: Made, turn: int) -> None:
    """What comes while somebody watches: each pod in its own rhythm."""
    now = time.time_ns()
    for number in range(len(PODS) - 1):
        for one in range((0, 1, 3, 1)[(turn + number) % 4]):
            _call(made, number, one + 4, now - one * 4 * 10**8)


def _call(made: Made, number: int, one: int, ended: int) -> None:
    pod, kind, name, team, provider, model, tokens, cached, out, _ = PODS[number]
    usage = Usage(input_tokens=tokens + 37 * one, output_tokens=out, cache_read_input_tokens=cached)
    made_call = call(provider=provider, served=model, usage=usage)
    made_call = replace(
        made_call,
        started_at_ns=ended - (1 + one % 4) * 8 * 10**8,
        ended_at_ns=ended,
        first_token_at_ns=ended - 5 * 10**8 if out and one % 2 else 0,
        first_byte_at_ns=ended - 6 * 10**8,
    )
    if one == 3 and number == 0:
        reading = replace(made_call.reading, usage=Usage(), evidence=Evidence.NOT_APPLICABLE)
        made_call = replace(made_call, status=429, outcome=Outcome.RATE_LIMITED, first_token_at_ns=0, reading=reading)
    if one == 2 and out:
        made_call = replace(made_call, reading=replace(made_call.reading, tool_calls=("look_up_order",)))
    made.site.accept(entry(pod, made_call, kind=kind, name=name, team=team))


def processes() -> list[Covered]:
    """One of each reason, and some that are fine."""
    rows = []
    remedies = {
        CoverageReason.CANNOT_DECRYPT: ("SSL_read was not found in this build", "report the library's build"),
        CoverageReason.MISSED_START: (
            "it was running before podtab probed its library",
            "if it calls models, wait until it connects anew, or restart the pod; new connections are read",
        ),
        CoverageReason.NOT_SELECTED: (
            "the selection leaves it out",
            "change the keys under selection, if it should be watched",
        ),
    }
    for number, (pod, kind, name, team, *_) in enumerate(PODS):
        reason = list(CoverageReason)[number] if number in (1, 2, 4) else CoverageReason.READABLE
        detail, remedy = remedies.get(reason, ("", ""))
        rows.append(
            Covered(
                workload=Workload(namespace="shop", kind=kind, name=name, pod=pod, team=team),
                coverage=ProcessCoverage(
                    process=Process(
                        pid=4211 + 97 * number, start_ticks=1, name="python3", cgroup_id=1, cgroup_path="/"
                    ),
                    reason=reason,
                    library="/usr/lib/x86_64-linux-gnu/libssl.so.3",
                    detail=detail,
                    remedy=remedy,
                ),
            )
        )
    return rows
