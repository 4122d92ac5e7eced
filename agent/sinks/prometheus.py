"""
Prometheus: ledger entries into counters and histograms, health read on scrape.

Sums here are floats, good for graphs; the exact amounts are in the entries.  A deleted pod's series go after a grace time, or a node
that lives long exports ghosts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family

from agent.model import Cost, LedgerEntry, Quarantined, Unsupported, Verdict
from agent.pricing.leaves import disjoint
from agent.sinks import metrics
from agent.sinks.limits import Limiter
from agent.sinks.metrics import Metric

Labels = tuple[str, ...]
Samples = Mapping[Labels, float]
HealthSource = Callable[[], Mapping[Metric, Samples]]
"""Asked on every scrape; values by metric and label values, ``()`` where there are no labels."""


@dataclass(slots=True)
class _Series:
    """The children of one set of base labels, so that a call costs no look-ups by label."""

    who: Labels
    base: Labels
    timed: Labels
    children: dict[tuple[Metric, Labels], Counter]
    duration: Histogram
    first_token: Histogram


class PrometheusSink:
    """``accept`` runs on the core's thread; scrapes on others."""

    def __init__(self, registry: CollectorRegistry, *, max_models: int, max_pods: int, max_workloads: int) -> None:
        self.limiter = Limiter(
            {
                "model": max_models,
                "pod": max_pods,
                "workload": max_workloads,
                "namespace": max_workloads,
                # What teams write into labels is theirs to choose and ours to bound.
                "team": max_workloads,
                "feature": max_workloads,
                "environment": 50,
                # From configuration and from a closed table.
                "provider": 200,
            }
        )
        self._counters = {
            metric: Counter(metric.name, metric.help, metric.labels, registry=registry)
            for metric in metrics.EVENTS
            if metric.kind == "counter"
        }
        self._histograms = {
            metric: Histogram(
                metric.name, metric.help, metric.labels, buckets=metrics.SECONDS_BUCKETS, registry=registry
            )
            for metric in metrics.EVENTS
            if metric.kind == "histogram"
        }
        self._series: dict[Labels, _Series] = {}

    # ----------------------------------------------------------------------------------------------------------- events

    def accept(self, entry: LedgerEntry) -> None:
        """Count one call."""
        call, cost, reading = entry.call, entry.cost, entry.call.reading
        series = self._series_of(entry)
        self._count(series, metrics.CALLS, (call.outcome.value,), 1)
        tokens = disjoint(reading.usage)
        for kind, number in tokens.items():
            self._count(series, metrics.TOKENS, (kind.value,), number)
        if isinstance(cost, Cost):
            self._count(series, metrics.COST, (), float(cost.total_usd))
            for remark in cost.remarks:
                self._counters[metrics.REMARKS].labels(call.provider, remark).inc()
        else:
            self._count(series, metrics.UNPRICED_CALLS, (cost.reason,), 1)
            if tokens:
                self._count(series, metrics.UNPRICED_TOKENS, (cost.reason,), sum(tokens.values()))
        if call.retry_count:
            self._count(series, metrics.RETRIES, (), 1)
        if call.lost_bytes:
            self._counters[metrics.LOST_BYTES].labels(*series.who).inc(call.lost_bytes)
        if call.first_byte_at_ns:
            series.duration.observe((call.ended_at_ns - call.started_at_ns) / 1e9)
        if call.first_token_at_ns:
            series.first_token.observe((call.first_token_at_ns - call.started_at_ns) / 1e9)

    def accept_unsupported(self, unsupported: Unsupported) -> None:
        self._counters[metrics.UNSUPPORTED].labels(unsupported.provider, unsupported.reason).inc()

    def accept_verdict(self, verdict: Verdict) -> None:
        self._counters[metrics.JUDGED].labels(verdict.judgement.value, verdict.reason).inc()

    def accept_quarantined(self, quarantined: Quarantined) -> None:
        self._counters[metrics.QUARANTINED].labels(quarantined.reason).inc()

    def forget_pod(self, namespace: str, pod: str) -> None:
        """Drop the series of a deleted pod."""
        for key, series in list(self._series.items()):
            if (series.who[0], series.who[3]) != (namespace, pod):
                continue
            del self._series[key]
            for metric, labels in series.children:
                self._counters[metric].remove(*labels)
            for metric in (metrics.DURATION, metrics.FIRST_TOKEN):
                # Several series share one histogram: the second removal finds nothing.
                self._histograms[metric].remove_by_labels(dict(zip(metric.labels, series.timed, strict=True)))
            self._counters[metrics.LOST_BYTES].remove_by_labels(dict(zip(metrics.WHO, series.who, strict=True)))
        self.limiter.forget("pod", pod)

    # ---------------------------------------------------------------------------------------------------------- helpers

    def _series_of(self, entry: LedgerEntry) -> _Series:
        workload, call, reading = entry.workload, entry.call, entry.call.reading
        model = reading.served_model or reading.requested_model
        raw = (
            workload.namespace,
            workload.kind,
            workload.name,
            workload.pod,
            call.provider,
            model,
            reading.operation,
            reading.evidence.value,
            workload.team,
            workload.feature,
            workload.environment,
        )
        series = self._series.get(raw)
        if series is not None:
            return series
        base = tuple(self.limiter.admit(label, value) for label, value in zip(metrics.BASE, raw, strict=True))
        # Kept under what was admitted: raw values that were turned away must not fill the memory.
        series = self._series.get(base)
        if series is None:
            timed = base[: len(metrics.TIMED)]
            series = self._series[base] = _Series(
                who=base[: len(metrics.WHO)],
                base=base,
                timed=timed,
                children={},
                duration=self._histograms[metrics.DURATION].labels(*timed),
                first_token=self._histograms[metrics.FIRST_TOKEN].labels(*timed),
            )
        return series

    def _count(self, series: _Series, metric: Metric, more: Labels, amount: float) -> None:
        child = series.children.get((metric, more))
        if child is None:
            child = self._counters[metric].labels(*series.base, *more)
            series.children[metric, more] = child
        child.inc(amount)


class HealthCollector:
    """Values that live elsewhere: kernel counters, the ring, links, the watch."""

    def __init__(self, sources: Sequence[HealthSource]) -> None:
        self._sources = sources

    def describe(self) -> Iterable[Family]:
        """No values before everything is built."""
        return [_family(metric) for metric in metrics.HEALTH]

    def collect(self) -> Iterable[Family]:
        families: dict[Metric, CounterMetricFamily | GaugeMetricFamily] = {}
        for source in self._sources:
            for metric, samples in source().items():
                family = families.setdefault(metric, _family(metric))
                for labels, value in samples.items():
                    family.add_metric(labels, value)
        return families.values()


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=metric.labels)
