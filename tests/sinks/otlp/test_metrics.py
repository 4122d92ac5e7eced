"""Ledger entries added up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model import Evidence, ExtraUsage, Outcome, Usage
from agent.sinks.otlp.metrics import TOKEN_BUCKETS, Aggregator, Point
from agent.sinks.otlp.names import Semconv
from tests.pricing.calls import call
from tests.sinks.entries import USAGE, entry


def aggregator(semconv: Semconv = Semconv.CURRENT, *, max_models: int = 50, max_pods: int = 50) -> Aggregator:
    return Aggregator(semconv, max_models=max_models, max_pods=max_pods)


def by_name(points: list[Point], name: str) -> list[Point]:
    return [point for point in points if point.instrument.name == name]


def total(points: list[Point], name: str) -> float:
    return sum(point.sum for point in by_name(points, name))


def test_a_call_in_every_metric() -> None:
    """Inclusive tokens, their parts, sizes, durations, money; cumulative from the first call on."""
    sums = aggregator()
    one = call(usage=USAGE)
    one = replace(one, first_token_at_ns=one.started_at_ns + 500_000_000)
    for now_ns in (100, 200):
        sums.accept(entry(one=one), now_ns)
    points = sums.points()
    used = "gen_ai.client.inference.usage."
    assert total(points, used + "input_tokens") == 2000
    assert total(points, used + "output_tokens") == 400
    assert total(points, used + "cache_read.input_tokens") == 800
    assert total(points, used + "reasoning.output_tokens") == 100
    assert total(points, "podtab.cost.usd") == pytest.approx(0.00048)
    assert total(points, "podtab.calls") == 2
    assert {point.start_ns for point in points} == {100}
    [size] = by_name(points, "gen_ai.client.inference.operation.input_tokens")
    assert (size.count, size.sum, len(size.bucket_counts)) == (2, 2000, len(TOKEN_BUCKETS) + 1)
    # 256 < 1000 <= 1024
    assert size.bucket_counts[TOKEN_BUCKETS.index(1024)] == 2
    [first] = by_name(points, "gen_ai.client.operation.time_to_first_chunk")
    assert (first.count, first.sum) == (2, 1.0)
    [calls] = by_name(points, "podtab.calls")
    assert calls.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "server.address": "api.example.com",
        "podtab.evidence": "reported",
        "podtab.outcome": "ok",
    }
    assert ("k8s.pod.name", "web-1") in calls.resource


def test_legacy_and_both() -> None:
    """The old token histogram by type, without the new counters; both has both, and never twice in one metric."""
    sums = {semconv: aggregator(semconv) for semconv in Semconv}
    for one in sums.values():
        one.accept(entry(), 1)
    points = {semconv: one.points() for semconv, one in sums.items()}
    old = by_name(points[Semconv.LEGACY], "gen_ai.client.token.usage")
    assert {point.attributes["gen_ai.token.type"]: point.sum for point in old} == {"input": 1000, "output": 200}
    assert all(point.attributes["gen_ai.system"] == "openai" for point in old)
    assert not [point for point in points[Semconv.LEGACY] if "inference" in point.instrument.name]
    assert not by_name(points[Semconv.CURRENT], "gen_ai.client.token.usage")
    names = {semconv: {point.instrument.name for point in some} for semconv, some in points.items()}
    assert names[Semconv.BOTH] == names[Semconv.CURRENT] | names[Semconv.LEGACY]
    assert total(points[Semconv.BOTH], "gen_ai.client.inference.usage.input_tokens") == 1000


def test_unpriced_and_failed_calls() -> None:
    """No cost of 0 and no size; a count by reason, a duration with its error."""
    sums = aggregator()
    refused = call(usage=Usage(), evidence=Evidence.NOT_APPLICABLE, outcome=Outcome.RATE_LIMITED)
    sums.accept(entry(one=replace(refused, status=429)), 1)
    points = sums.points()
    assert {point.instrument.name for point in points} == {
        "podtab.calls",
        "podtab.unpriced.calls",
        "gen_ai.client.operation.duration",
    }
    [unpriced] = by_name(points, "podtab.unpriced.calls")
    assert unpriced.attributes["podtab.unpriced.reason"] == "not_billed"
    [duration] = by_name(points, "gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == "429"


def test_modalities_and_extra_usage() -> None:
    """Audio is told apart, what was not said is unknown, and what was billed on top is in the totals."""
    sums = aggregator()
    extra = (ExtraUsage(kind="k", model="m", usage=Usage(input_tokens=5)),)
    sums.accept(entry(one=call(usage=Usage(input_tokens=10, audio_input_tokens=4), extra=extra)), 1)
    found = by_name(sums.points(), "gen_ai.client.inference.usage.input_tokens")
    assert {point.attributes["gen_ai.token.modality"]: point.sum for point in found} == {"audio": 4, "unknown": 11}


def test_a_deleted_pod_is_sent_once_more() -> None:
    """Its last figures get out, then its series end; one that speaks again stays."""
    sums = aggregator()
    for pod in ("web-1", "web-2"):
        sums.accept(entry(pod), 1)
    sums.forget_pod("shop", "web-1")
    assert total(sums.points(), "podtab.calls") == 2
    assert total(sums.points(), "podtab.calls") == 1
    sums.forget_pod("shop", "web-2")
    sums.accept(entry("web-2"), 2)
    assert sums.points()
    assert total(sums.points(), "podtab.calls") == 2


def test_what_pods_invent_is_bounded() -> None:
    """Models, hosts and pods beyond the limit share a series, and no call is lost from the sums."""
    sums = aggregator(max_models=3, max_pods=4)
    for number in range(40):
        sums.accept(entry(f"web-{number}", replace(call(served=f"model-{number}"), host=f"host-{number}")), 1)
    points = sums.points()
    assert total(points, "podtab.calls") == 40
    assert sums.resources == 5
    assert sums.turned_away == 36
    assert len({point.attributes["gen_ai.response.model"] for point in points}) == 4
