"""
Prometheus: ledger entries into counters and histograms, health read on scrape.

Sums here are floats, good for graphs; the exact amounts are in the entries.  A deleted pod's series go after a grace time, or a node
that lives long exports ghosts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family

from agent.model import Call, Cost, LedgerEntry, Quarantined, Unsupported, Verdict
from agent.pricing.leaves import Leaves, split
from agent.sinks import metrics
from agent.sinks.limits import Limiter, clean
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
    counters: dict[tuple[Metric, Labels], Counter] = field(default_factory=dict)
    """By metric and the labels that it has beyond ``base``."""
    histograms: dict[Metric, Histogram] = field(default_factory=dict)
    """Made when first needed: an empty one is 17 series of zeros."""


class PrometheusSink:
    """All methods are for one thread, the core's; scrapes come on others."""

    def __init__(self, registry: CollectorRegistry, *, max_models: int, max_pods: int, max_workloads: int) -> None:
        # A second time series for each, with the time it began: nobody asks for it, and it doubles the page.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.limiter = Limiter(
            {
                "model": max_models,
                # As models: names that applications choose.
                "tool": max_models,
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
        self._count_tools(series, call)
        tokens = 0
        # Told whoever priced it, also where the answer stated its cost or nobody knows a price.
        remarks = list(reading.remarks)
        for usage in (reading.usage, *[extra.usage for extra in reading.extra_usage]):
            leaves = split(usage)
            tokens += self._count_tokens(series, leaves)
            remarks += leaves.remarks
        if isinstance(cost, Cost):
            self._count(series, metrics.COST, (), float(cost.total_usd))
            remarks += cost.remarks
        else:
            self._count(series, metrics.UNPRICED_CALLS, (cost.reason,), 1)
            if tokens:
                self._count(series, metrics.UNPRICED_TOKENS, (cost.reason,), tokens)
        for remark in dict.fromkeys(remarks):
            self._counters[metrics.REMARKS].labels(self.limiter.admit("provider", call.provider), remark).inc()
        if call.retry_count:
            self._count(series, metrics.RETRIES, (), 1)
        if call.lost_bytes:
            self._counters[metrics.LOST_BYTES].labels(*series.who).inc(call.lost_bytes)
        if call.first_byte_at_ns:
            self._observe(series, metrics.DURATION, call.ended_at_ns - call.started_at_ns)
        if call.first_token_at_ns:
            self._observe(series, metrics.FIRST_TOKEN, call.first_token_at_ns - call.started_at_ns)

    def accept_unsupported(self, unsupported: Unsupported) -> None:
        provider = self.limiter.admit("provider", unsupported.provider)
        self._counters[metrics.UNSUPPORTED].labels(provider, unsupported.reason).inc()

    def accept_verdict(self, verdict: Verdict) -> None:
        self._counters[metrics.JUDGED].labels(verdict.judgement.value, verdict.reason).inc()

    def accept_quarantined(self, quarantined: Quarantined) -> None:
        self._counters[metrics.QUARANTINED].labels(quarantined.reason).inc()

    def forget_pod(self, namespace: str, pod: str) -> None:
        """Drop the series of a deleted pod, now: the grace time is attribution's."""
        namespace, pod = clean(namespace), clean(pod)
        gone = [series for series in self._series.values() if (series.who[0], series.who[3]) == (namespace, pod)]
        if not gone:
            return
        for series in gone:
            del self._series[series.base]
            for metric, more in series.counters:
                self._counters[metric].remove(*series.base, *more)
            # These are shared by series that differ in the other labels; removing what is not there does nothing.
            for metric in series.histograms:
                self._histograms[metric].remove(*series.timed)
            self._counters[metrics.LOST_BYTES].remove(*series.who)
        self._free_label_values()

    # ---------------------------------------------------------------------------------------------------------- helpers

    def _series_of(self, entry: LedgerEntry) -> _Series:
        workload, call, reading = entry.workload, entry.call, entry.call.reading
        model = reading.served_model or reading.requested_model or "unknown"
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
            series = self._series[base] = _Series(
                who=base[: len(metrics.WHO)], base=base, timed=base[: len(metrics.TIMED)]
            )
        return series

    def _count_tools(self, series: _Series, call: Call) -> None:
        reading = call.reading
        within = "mcp" if call.api == "mcp/tools" else "provider"
        for name in reading.tool_calls:
            self._count(series, metrics.TOOL_CALLS, (self.limiter.admit("tool", name), "application"), 1)
        for name, number in reading.server_tool_calls.items():
            self._count(series, metrics.TOOL_CALLS, (self.limiter.admit("tool", name), within), number)

    def _count_tokens(self, series: _Series, leaves: Leaves) -> int:
        for kind, number in leaves.counts:
            self._count(series, metrics.TOKENS, (kind.value,), number)
        return sum([number for _, number in leaves.counts])

    def _count(self, series: _Series, metric: Metric, more: Labels, amount: float) -> None:
        child = series.counters.get((metric, more))
        if child is None:
            child = self._counters[metric].labels(*series.base, *more)
            series.counters[metric, more] = child
        child.inc(amount)

    def _observe(self, series: _Series, metric: Metric, duration_ns: int) -> None:
        child = series.histograms.get(metric)
        if child is None:
            child = series.histograms[metric] = self._histograms[metric].labels(*series.timed)
        # Below 0 where a clock was set back: a sum that falls looks like a restart to Prometheus.
        child.observe(max(duration_ns, 0) / 1e9)

    def _free_label_values(self) -> None:
        """Places of values that no series has any more are given to the next, or a year of deployments ends in ``other``."""
        for place, label in enumerate(metrics.BASE):
            self.limiter.keep(label, {series.base[place] for series in self._series.values()})
        counted = [counter for series in self._series.values() for counter in series.counters]
        self.limiter.keep("tool", {more[0] for metric, more in counted if metric is metrics.TOOL_CALLS})


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
