"""
Ledger entries added up as OpenTelemetry's metrics: pure, cumulative, and free of OpenTelemetry's library.

Every workload is a resource of its own, as with spans; a point's attributes say only what was called and how sure a figure is.  What
pods choose (models, hosts) is bounded; a deleted pod's points are sent once more and then forgotten.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agent.model import Cost, LedgerEntry, Outcome, Usage
from agent.pricing.leaves import TokenType, split
from agent.sinks.limits import Limiter
from agent.sinks.metrics import SECONDS_BUCKETS
from agent.sinks.otlp.names import Attributes, Semconv, Value, spelled
from agent.sinks.otlp.resource import Resource, resource_of
from agent.sinks.otlp.spans import call_attributes, error_type

# OpenTelemetry's for token histograms.
TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    name: str
    unit: str
    help: str
    buckets: tuple[float, ...] = ()
    """Of a histogram; () is a counter."""
    whole: bool = False
    """Values are integers on the wire."""


_TOKENS = "gen_ai.client.inference.usage."
INPUT_TOKENS = Instrument(
    name=_TOKENS + "input_tokens", unit="{token}", help="Input tokens, cached ones included.", whole=True
)
OUTPUT_TOKENS = Instrument(
    name=_TOKENS + "output_tokens", unit="{token}", help="Output tokens, reasoning included.", whole=True
)
CACHE_READ = Instrument(
    name=_TOKENS + "cache_read.input_tokens", unit="{token}", help="Input tokens read from a cache.", whole=True
)
CACHE_WRITE = Instrument(
    name=_TOKENS + "cache_write.input_tokens", unit="{token}", help="Input tokens written to a cache.", whole=True
)
REASONING = Instrument(
    name=_TOKENS + "reasoning.output_tokens", unit="{token}", help="Output tokens spent on reasoning.", whole=True
)
INPUT_SIZE = Instrument(
    name="gen_ai.client.inference.operation.input_tokens",
    unit="{token}",
    help="Input tokens of one successful call: for distributions, not for totals.",
    buckets=TOKEN_BUCKETS,
    whole=True,
)
OUTPUT_SIZE = Instrument(
    name="gen_ai.client.inference.operation.output_tokens",
    unit="{token}",
    help="Output tokens of one successful call: for distributions, not for totals.",
    buckets=TOKEN_BUCKETS,
    whole=True,
)
TOKEN_USAGE = Instrument(
    name="gen_ai.client.token.usage",
    unit="{token}",
    help="Tokens of one call by gen_ai.token.type: the name before gen_ai.client.inference.*.",
    buckets=TOKEN_BUCKETS,
    whole=True,
)
DURATION = Instrument(
    name="gen_ai.client.operation.duration",
    unit="s",
    help="From the first byte of the request to the last of the response.",
    buckets=SECONDS_BUCKETS,
)
FIRST_CHUNK = Instrument(
    name="gen_ai.client.operation.time_to_first_chunk",
    unit="s",
    help="From the first byte of the request to the first event of a streamed response.",
    buckets=SECONDS_BUCKETS,
)
COST = Instrument(name="podtab.cost.usd", unit="{USD}", help="Cost of calls whose price is known, in US dollars.")
CALLS = Instrument(name="podtab.calls", unit="{call}", help="Calls to models, by podtab.outcome.", whole=True)
UNPRICED = Instrument(
    name="podtab.unpriced.calls", unit="{call}", help="Calls without a price, by podtab.unpriced.reason.", whole=True
)

INSTRUMENTS = (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    CACHE_READ,
    CACHE_WRITE,
    REASONING,
    INPUT_SIZE,
    OUTPUT_SIZE,
    TOKEN_USAGE,
    DURATION,
    FIRST_CHUNK,
    COST,
    CALLS,
    UNPRICED,
)

Key = tuple[tuple[str, Value], ...]
Modality = Literal["audio", "image", "unknown"]

_MODALITIES: Mapping[TokenType, Modality] = {
    TokenType.INPUT_AUDIO: "audio",
    TokenType.CACHE_READ_AUDIO: "audio",
    TokenType.CACHE_READ_IMAGE: "image",
    TokenType.OUTPUT_AUDIO: "audio",
    TokenType.INPUT_IMAGE: "image",
    TokenType.OUTPUT_IMAGE: "image",
}
_OUTPUT = frozenset({TokenType.OUTPUT, TokenType.REASONING, TokenType.OUTPUT_AUDIO, TokenType.OUTPUT_IMAGE})


@dataclass(slots=True)
class Sum:
    start_ns: int
    value: float = 0


@dataclass(slots=True)
class Distribution:
    start_ns: int
    counts: list[int]
    count: int = 0
    sum: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One series at one moment; a counter has no buckets."""

    instrument: Instrument
    resource: Resource
    attributes: Attributes
    start_ns: int
    sum: float
    count: int = 0
    bucket_counts: tuple[int, ...] = ()


@dataclass(slots=True)
class _Pod:
    """The series of one resource."""

    namespace: str
    pod: str
    sums: dict[tuple[Instrument, Key], Sum] = field(default_factory=dict)
    distributions: dict[tuple[Instrument, Key], Distribution] = field(default_factory=dict)
    leaving: bool = False


class Aggregator:
    """All methods are for one thread."""

    def __init__(self, semconv: Semconv, *, max_models: int, max_pods: int) -> None:
        self._semconv = semconv
        # Twice as many hosts as anyone has providers: a host can be a pod's own invention.
        self.limiter = Limiter({"model": max_models, "host": 200, "error": 200, "provider": 200})
        self._max_resources = max_pods
        self._pods: dict[Resource, _Pod] = {}
        self.turned_away = 0
        """Calls whose workload got no resource of its own, because there were too many: they are under ``other``."""

    def accept(self, entry: LedgerEntry, now_ns: int) -> None:
        """Count one call."""
        call, cost, reading = entry.call, entry.cost, entry.call.reading
        pod = self._pod(entry)
        what = self._bounded(call_attributes(call))
        sure = what | {"podtab.evidence": reading.evidence.value}
        self._add(pod, CALLS, sure | {"podtab.outcome": call.outcome.value}, 1, now_ns)
        if isinstance(cost, Cost):
            self._add(pod, COST, sure, float(cost.total_usd), now_ns)
        else:
            self._add(pod, UNPRICED, sure | {"podtab.unpriced.reason": cost.reason}, 1, now_ns)
        self._count_tokens(pod, sure, (reading.usage, *(one.usage for one in reading.extra_usage)), now_ns)
        if call.outcome is Outcome.OK:
            self._observe_sizes(pod, what, reading.usage, now_ns)
        if call.first_byte_at_ns:
            error = error_type(call)
            timed = what | {"error.type": self.limiter.admit("error", error)} if error else what
            self._observe(pod, DURATION, timed, max(call.ended_at_ns - call.started_at_ns, 0) / 1e9, now_ns)
        if call.first_token_at_ns:
            seconds = max(call.first_token_at_ns - call.started_at_ns, 0) / 1e9
            self._observe(pod, FIRST_CHUNK, what, seconds, now_ns)

    def forget_pod(self, namespace: str, pod: str) -> None:
        """The pod is gone: its last figures are in the next ``points`` and in none after it."""
        for series in self._pods.values():
            if (series.namespace, series.pod) == (namespace, pod):
                series.leaving = True

    def points(self) -> list[Point]:
        """Every series as it stands now."""
        taken = [point for resource, pod in self._pods.items() for point in self._points_of(resource, pod)]
        for resource in [resource for resource, pod in self._pods.items() if pod.leaving]:
            del self._pods[resource]
        return taken

    @property
    def resources(self) -> int:
        return len(self._pods)

    # ---------------------------------------------------------------------------------------------------------- helpers

    def _pod(self, entry: LedgerEntry) -> _Pod:
        workload = entry.workload
        resource = resource_of(workload)
        pod = self._pods.get(resource)
        if pod is None:
            if len(self._pods) >= self._max_resources:
                self.turned_away += 1
                resource, names = _OTHER, ("", "")
            else:
                names = (workload.namespace, workload.pod)
            pod = self._pods.get(resource)
            if pod is None:
                pod = self._pods[resource] = _Pod(*names)
        # A StatefulSet's next pod has the same name.
        pod.leaving = False
        return pod

    def _bounded(self, what: Attributes) -> Attributes:
        for name, label in _LIMITED:
            value = what.get(name)
            if isinstance(value, str):
                what[name] = self.limiter.admit(label, value)
        return what

    def _count_tokens(self, pod: _Pod, what: Attributes, usages: Sequence[Usage], now_ns: int) -> None:
        if not self._semconv.current:
            return
        for usage in usages:
            for kind, number in split(usage).counts:
                modal = what | {"gen_ai.token.modality": _MODALITIES.get(kind, "unknown")}
                self._add(pod, OUTPUT_TOKENS if kind in _OUTPUT else INPUT_TOKENS, modal, number, now_ns)
                part = _part(kind)
                if part is not None:
                    self._add(pod, part, modal, number, now_ns)

    def _observe_sizes(self, pod: _Pod, what: Attributes, usage: Usage, now_ns: int) -> None:
        for instrument, word, number in (
            (INPUT_SIZE, "input", usage.input_tokens),
            (OUTPUT_SIZE, "output", usage.output_tokens),
        ):
            if number is None or number < 0:
                continue
            if self._semconv.current:
                self._observe(pod, instrument, what, number, now_ns)
            if self._semconv.legacy:
                self._observe(pod, TOKEN_USAGE, what | {"gen_ai.token.type": word}, number, now_ns)

    def _add(self, pod: _Pod, instrument: Instrument, attributes: Attributes, amount: float, now_ns: int) -> None:
        key = (instrument, tuple(attributes.items()))
        series = pod.sums.get(key)
        if series is None:
            series = pod.sums[key] = Sum(now_ns)
        series.value += amount

    def _observe(self, pod: _Pod, instrument: Instrument, attributes: Attributes, value: float, now_ns: int) -> None:
        key = (instrument, tuple(attributes.items()))
        series = pod.distributions.get(key)
        if series is None:
            series = pod.distributions[key] = Distribution(now_ns, [0] * (len(instrument.buckets) + 1))
        # A bucket holds what is not above its bound.
        series.counts[bisect_left(instrument.buckets, value)] += 1
        series.count += 1
        series.sum += value

    def _points_of(self, resource: Resource, pod: _Pod) -> Iterator[Point]:
        for (instrument, key), series in pod.sums.items():
            yield Point(
                instrument=instrument,
                resource=resource,
                attributes=spelled(dict(key), self._semconv),
                start_ns=series.start_ns,
                sum=series.value,
            )
        for (instrument, key), distribution in pod.distributions.items():
            yield Point(
                instrument=instrument,
                resource=resource,
                attributes=spelled(dict(key), self._semconv),
                start_ns=distribution.start_ns,
                sum=distribution.sum,
                count=distribution.count,
                bucket_counts=tuple(distribution.counts),
            )


_LIMITED = (
    ("gen_ai.provider.name", "provider"),
    ("gen_ai.request.model", "model"),
    ("gen_ai.response.model", "model"),
    ("server.address", "host"),
)
_OTHER: Resource = (("service.instance.id", "other"), ("service.name", "other"))


def _part(kind: TokenType) -> Instrument | None:
    if kind.value.startswith("cache_read"):
        return CACHE_READ
    if kind.value.startswith("cache_write"):
        return CACHE_WRITE
    return REASONING if kind is TokenType.REASONING else None
