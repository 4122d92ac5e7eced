"""
``python -m charts.dashboards.history FILE``: some hours of a small cluster's figures, as OpenMetrics with time stamps, for pictures and
tests: ``promtool tsdb create-blocks-from openmetrics FILE FOLDER`` makes a Prometheus of it.

The calls are made up; their prices, and every metric, are the agent's own: calls go through its price book into its Prometheus sink.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from prometheus_client import CollectorRegistry

from agent.model import (
    Call,
    ConnId,
    Evidence,
    Joined,
    Judgement,
    LedgerEntry,
    Outcome,
    Reading,
    Unsupported,
    Usage,
    Verdict,
    Workload,
)
from agent.pricing import Pricer
from agent.sinks import metrics
from agent.sinks.metrics import Metric
from agent.sinks.prometheus import HealthCollector, PrometheusSink, Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A model that a workload calls."""

    provider: str
    model: str
    operation: str = "chat"
    calls: float
    """A minute, of each pod, at noon."""
    sent: int
    answered: int
    cached: float = 0
    reasoning: float = 0
    streaming: bool = False
    seconds: float = 2
    evidence: Evidence = Evidence.REPORTED


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    namespace: str
    kind: str
    name: str
    team: str
    feature: str
    pods: tuple[str, ...]
    parts: tuple[Part, ...]
    failing: float = 0.004
    hourly: bool = False
    """A new pod each hour, as Jobs have."""


APPS = (
    App(
        namespace="shop", kind="Deployment", name="checkout-assistant", team="payments", feature="checkout",
        pods=("checkout-assistant-7c9d8f6b54-x2k8q", "checkout-assistant-7c9d8f6b54-m4hzt", "checkout-assistant-7c9d8f6b54-q7wnd"),
        parts=(
            Part(provider="openai", model="gpt-4.1-2025-04-14", calls=3, sent=2600, answered=310, cached=0.45, streaming=True, seconds=3.1),
            Part(provider="openai", model="gpt-5-mini-2025-08-07", calls=5, sent=1500, answered=420, cached=0.3, reasoning=0.5, seconds=4.4),
        ),
    ),
    App(
        namespace="shop", kind="StatefulSet", name="inbox-triage", team="support", feature="triage",
        pods=("inbox-triage-0", "inbox-triage-1"), failing=0.02,
        parts=(Part(provider="anthropic", model="claude-sonnet-4-6", calls=2.2, sent=5200, answered=380, cached=0.7, streaming=True, seconds=5.5),),
    ),
    App(
        namespace="shop", kind="CronJob", name="search-indexer", team="search", feature="indexing", pods=("search-indexer",), hourly=True,
        parts=(
            Part(provider="openai", model="text-embedding-3-small", operation="embeddings", calls=14, sent=5200, answered=0, seconds=0.4),
            Part(provider="gcp.gemini", model="gemini-2.5-flash", operation="generate_content", calls=6, sent=3800, answered=240, seconds=1.6),
        ),
    ),
    App(
        namespace="research", kind="Deployment", name="paper-reader", team="research", feature="",
        pods=("paper-reader-5f4c9d7b88-7h2lp",),
        parts=(
            Part(
                provider="gcp.gemini", model="gemini-2.5-pro", operation="generate_content", calls=1.2, sent=38000, answered=2100, reasoning=0.6,
                streaming=True, seconds=19,
            ),
            Part(provider="anthropic", model="claude-haiku-4-5-20251001", calls=2.5, sent=7400, answered=520, cached=0.5, streaming=True, seconds=3.4),
        ),
    ),
    App(
        namespace="platform", kind="Deployment", name="log-summarizer", team="", feature="",
        pods=("log-summarizer-6d5b7c9f4-tz8vk",), failing=0.01,
        parts=(
            Part(provider="openai", model="gpt-4o-mini-2024-07-18", calls=6, sent=4200, answered=260, seconds=1.9, streaming=True),
            Part(provider="openai", model="gpt-4o-mini-2024-07-18", calls=0.12, sent=0, answered=0, evidence=Evidence.ABSENT, streaming=True),
            Part(provider="unknown", model="llama-4-maverick-inhouse", calls=0.5, sent=2400, answered=300, seconds=2.7),
        ),
    ),
)  # fmt: skip

UNREAD_POD = ("platform", "Deployment", "audit-proxy", "audit-proxy-5d8f6c4b7-n9x2c")


class Node:
    """An agent with its sink; ``health`` is made up beside the calls."""

    def __init__(self, instance: str, chance: random.Random) -> None:
        self.instance = instance
        self.registry = CollectorRegistry()
        self.sink = PrometheusSink(self.registry, max_models=200, max_pods=500, max_workloads=500)
        self._chance = chance
        self._pricer = Pricer()
        self._seen: set[tuple[str, str, str, str]] = set()
        self._opened: dict[tuple[str, ...], float] = {}
        self._bytes = {"captured_bytes": 0.0, "ignored_bytes": 0.0, "unselected_bytes": 0.0}
        self.registry.register(HealthCollector([self._health]))

    def call(self, app: App, pod: str, part: Part, at: float) -> None:
        chance = self._chance
        if not app.hourly:
            self._seen.add((app.namespace, app.kind, app.name, pod))
            # A connection for four calls, of which one in twenty is not known to be one that was read.
            if part.provider != "unknown" and chance.random() < 0.25:
                joined = Joined.UNKNOWN if chance.random() < 0.05 else Joined.READ
                self._open((app.namespace, app.kind, app.name, pod), part.provider, joined)
        failed = chance.random() < app.failing
        size = chance.lognormvariate(0, 0.4)
        sent, answered = int(part.sent * size), int(part.answered * chance.lognormvariate(0, 0.5))
        seconds = part.seconds * chance.lognormvariate(0, 0.45) * (0.1 if failed else 1)
        start, evidence = int((at - seconds) * 1e9), Evidence.NOT_APPLICABLE if failed else part.evidence
        first = start + int(min(seconds * 0.25, 0.9 * chance.lognormvariate(0, 0.3)) * 1e9)
        usage = Usage()
        if evidence is Evidence.REPORTED:
            usage = Usage(
                input_tokens=sent,
                output_tokens=answered,
                cache_read_input_tokens=int(sent * part.cached * min(1, size))
                if part.cached and chance.random() < 0.85
                else None,
                reasoning_output_tokens=int(answered * part.reasoning) if part.reasoning else None,
            )
        outcome = (
            chance.choice((Outcome.RATE_LIMITED, Outcome.RATE_LIMITED, Outcome.SERVER_ERROR)) if failed else Outcome.OK
        )
        call = Call(
            conn=ConnId(pid=1, pointer=1, born_ns=1), stream_id=1, cgroup_id=1, provider=part.provider, api="", host="", status=200,
            outcome=outcome, retry_count=int(chance.random() < app.failing), started_at_ns=start, first_byte_at_ns=first,
            first_token_at_ns=first if part.streaming and not failed else 0, ended_at_ns=int(at * 1e9),
            lost_bytes=4096 if chance.random() < 0.0004 else 0,
            reading=Reading(operation=part.operation, served_model=part.model, usage=usage, evidence=evidence, streaming=part.streaming),
        )  # fmt: skip
        workload = Workload(
            namespace=app.namespace,
            kind=app.kind,
            name=app.name,
            pod=pod,
            team=app.team,
            feature=app.feature,
            environment="prod",
        )
        self.sink.accept(LedgerEntry(call=call, cost=self._pricer.price(call), workload=workload))
        self._bytes["captured_bytes"] += (sent + answered) * 5

    def _open(self, who: tuple[str, ...], provider: str, joined: Joined) -> None:
        for one in Joined:
            self._opened.setdefault((*who, provider, one.value), 0.0)
        self._opened[*who, provider, joined.value] += 1

    def minute(self, minutes: float) -> None:
        chance = self._chance
        self._bytes["ignored_bytes"] += 2.2e6 * minutes * chance.uniform(0.6, 1.4)
        self._bytes["unselected_bytes"] += 4e5 * minutes * chance.uniform(0.6, 1.4)
        for judgement, reason, often in (
            (Judgement.WATCH, "known_host", 3), (Judgement.IGNORE, "unknown_api", 5), (Judgement.IGNORE, "upgraded", 2),
            (Judgement.IGNORE, "server_side", 1),
        ):  # fmt: skip
            for _ in range(int(chance.uniform(0, 2 * often * minutes))):
                self.sink.accept_verdict(
                    Verdict(conn=ConnId(pid=1, pointer=1, born_ns=1), judgement=judgement, reason=reason)
                )
        if chance.random() < 0.2 * minutes:
            self._open(UNREAD_POD, "openai", Joined.NOT_READ)
        if chance.random() < 0.03 * minutes:
            self.sink.accept_unsupported(
                Unsupported(
                    conn=ConnId(pid=1, pointer=1, born_ns=1),
                    stream_id=1,
                    cgroup_id=1,
                    provider="openai",
                    host="",
                    path="",
                    status=200,
                    reason="unknown_api",
                )
            )

    def _health(self) -> Mapping[Metric, Samples]:
        chance = self._chance
        events = dict.fromkeys(
            ("ring_lost_bytes", "uncopied_bytes", "unreadable_bytes", "records_dropped", "threads_map_full", "connections_map_full",
             "count_unreadable", "taken_over_calls", "returns_without_entry"), 0.0,
        ) | self._bytes  # fmt: skip
        return {
            metrics.KERNEL_EVENTS: {(name,): value for name, value in events.items()},
            metrics.RING_FILL: {(): 16 * 2**20 * chance.uniform(0.002, 0.03)},
            metrics.RING_SIZE: {(): 16.0 * 2**20},
            metrics.LIBRARIES: {("probed",): 6.0, ("failed",): 0.0},
            metrics.SITES: {("emulated",): 22.0, ("single_stepped",): 2.0},
            metrics.LINK_KIND: {("uprobe_multi",): 1.0},
            metrics.PROCESSES: {(): float(chance.randint(60, 70))},
            metrics.CONNECTIONS: {(): float(chance.randint(12, 30))},
            metrics.COVERAGE: self._coverage(),
            metrics.MODEL_CONNECTIONS: dict(self._opened),
            metrics.HELD_CALLS: {(): 0.0},
            metrics.API_SERVER: {(): 1.0},
            metrics.BUILD: {("0.2.0", "genai-prices 0.2.3"): 1.0},
        }

    def _coverage(self) -> dict[tuple[str, ...], float]:
        """Every pod of the node can be read, but for one whose TLS library has no probe."""
        readable: dict[tuple[str, ...], float] = dict.fromkeys([(*who, "readable") for who in sorted(self._seen)], 2.0)
        return readable | {(*UNREAD_POD, "cannot_decrypt"): 1.0}


def write(file: TextIO, *, end: float, hours: float, step: float, seed: int = 7) -> None:
    """Two nodes, scraped every ``step`` seconds for ``hours`` until ``end``."""
    chance = random.Random(seed)  # noqa: S311 made-up calls
    nodes = [Node(f"10.0.{place}.17:9464", random.Random(seed + place)) for place in (1, 2)]  # noqa: S311
    at = end - hours * 3600
    while at <= end:
        for app in APPS:
            for place, pod in enumerate(app.pods):
                node = nodes[(place + len(app.name)) % len(nodes)]
                name = f"{pod}-{int(at // 3600)}-x{int(at // 3600) % 97:02d}q" if app.hourly else pod
                for part in app.parts:
                    for _ in range(_how_many(part.calls * step / 60 * _busy(app, at), chance)):
                        node.call(app, name, part, at - chance.uniform(0, step))
        for node in nodes:
            node.minute(step / 60)
            file.writelines(_scrape(node, at))
        at += step
    file.write("# EOF\n")


def _busy(app: App, at: float) -> float:
    """Busy by day, quiet by night; Jobs run for the first twenty minutes of an hour; research had an idea in the afternoon."""
    hour = at / 3600 % 24
    day = 0.25 + 0.75 * max(0.0, math.sin((hour - 6) / 14 * math.pi)) if 6 <= hour <= 20 else 0.25
    if app.hourly:
        return 1.6 if at % 3600 < 1200 else 0.0
    return day * (2.6 if app.name == "paper-reader" and 13 <= hour < 16 else 1)


def _how_many(expected: float, chance: random.Random) -> int:
    """Poisson's law."""
    limit, count, product = math.exp(-expected), 0, chance.random()
    while product > limit:
        count, product = count + 1, product * chance.random()
    return count


def _scrape(node: Node, at: float) -> Iterator[str]:
    for family in node.registry.collect():
        for sample in family.samples:
            labels = ",".join(
                f'{name}="{value}"' for name, value in {**sample.labels, "instance": node.instance}.items()
            )
            yield f"{sample.name}{{{labels}}} {sample.value:.12g} {at:.3f}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write some hours of a small cluster's figures as OpenMetrics.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--end", type=float, required=True, help="seconds since 1970")
    parser.add_argument("--hours", type=float, default=30)
    parser.add_argument("--step", type=float, default=120, help="seconds between scrapes")
    options = parser.parse_args()
    with options.file.open("w", encoding="utf-8") as file:
        write(file, end=options.end, hours=options.hours, step=options.step)


if __name__ == "__main__":
    main()
