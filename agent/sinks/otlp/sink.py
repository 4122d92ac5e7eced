"""
The export to an OpenTelemetry collector, beside the core and never in its way.

    core → spans' outbox → span sender                        every batch is tried for retry_seconds, then counted as lost
    core → metrics' outbox → aggregator → snapshot → sender   cumulative: what one export misses, the next one brings

A collector that is slow or away costs memory up to ``queue_size`` calls and nothing else; readiness does not depend on it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.logs import Log
from agent.model import LedgerEntry
from agent.sinks import metrics as ours
from agent.sinks.metrics import Metric
from agent.sinks.otlp.metrics import Aggregator, Point
from agent.sinks.otlp.outbox import Outbox
from agent.sinks.otlp.settings import Asked, Settings, Target, resolve
from agent.sinks.otlp.spans import Naming, span_of

if TYPE_CHECKING:
    from agent.sinks.otlp.exporter import MetricSender, SpanSender

_LOG = Log("otlp")
_MAX_BATCH = 512
_LINGER_SECONDS = 1.0
_RECKON_SECONDS = 0.2
# A collector that comes and goes is told of once in so long.
_TELL_SECONDS = 60.0
# Of the 30 s that a pod has to end in: for what waits to be exported.
FLUSH_SECONDS = 5.0

Samples = Mapping[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class _Forget:
    namespace: str
    pod: str


class Tally:
    """What became of one signal; written by its threads, read by scrapes."""

    def __init__(self, signal: str, target: Target) -> None:
        self.signal = signal
        self._target = target
        self._lock = threading.Lock()
        self._told_at = -_TELL_SECONDS
        self.exported = 0
        self.dropped: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.working = True

    def lost(self, reason: str, number: int) -> None:
        if number:
            with self._lock:
                self.dropped[reason] += number

    def failed(self, reason: str) -> None:
        """One request failed; it may be tried again."""
        with self._lock:
            self.failures[reason] += 1
            tell = self.working and time.monotonic() - self._told_at >= _TELL_SECONDS
            self.working = False
            if tell:
                self._told_at = time.monotonic()
        if tell:
            _LOG.warning(
                "collector does not take what is exported", signal=self.signal, url=self._target.url, reason=reason
            )

    def sent(self, *, taken: int, refused: int, reason: str) -> None:
        """A batch is done with.  Refused points are not lost: they stand in the next snapshot; refused spans are."""
        if refused and (self.signal == "traces" or reason == "rejected"):
            self.lost(reason, refused)
        if reason and reason != "rejected":
            return
        with self._lock:
            self.exported += taken
            back, self.working = not self.working, True
        if back:
            _LOG.info("collector takes what is exported again", signal=self.signal)

    def samples(self) -> dict[Metric, Samples]:
        with self._lock:
            return {
                ours.OTLP_EXPORTED: {(self.signal,): float(self.exported)},
                ours.OTLP_DROPPED: {(self.signal, reason): float(number) for reason, number in self.dropped.items()},
                ours.OTLP_FAILURES: {(self.signal, reason): float(number) for reason, number in self.failures.items()},
                ours.OTLP_WORKING: {(self.signal,): float(self.working)},
            }


class OtlpSink:
    """``accept`` and ``forget_pod`` are for the core's thread and return at once."""

    def __init__(self, settings: Settings | None) -> None:
        self._traces = _Traces(settings.traces, settings.asked) if settings and settings.traces else None
        self._metrics = _Metrics(settings.metrics, settings.asked) if settings and settings.metrics else None

    def start(self) -> None:
        for one in self._signals():
            one.start()

    def accept(self, entry: LedgerEntry) -> None:
        if self._traces is not None:
            self._traces.outbox.put(entry)
        if self._metrics is not None:
            self._metrics.outbox.put(entry)

    def forget_pod(self, namespace: str, pod: str) -> None:
        """Its series are sent once more and then no longer."""
        if self._metrics is not None:
            self._metrics.outbox.put(_Forget(namespace, pod))

    def samples(self) -> Mapping[Metric, Samples]:
        """For /metrics."""
        values: dict[Metric, dict[tuple[str, ...], float]] = {}
        for one in self._signals():
            waiting: dict[Metric, Samples] = {ours.OTLP_QUEUED: {(one.tally.signal,): float(one.outbox.waiting)}}
            for metric, some in (one.tally.samples() | waiting).items():
                values.setdefault(metric, {}).update(some)
        return values

    def close(self, timeout_seconds: float) -> None:
        """Send what waits, for at most so long altogether."""
        deadline = time.monotonic() + timeout_seconds
        for one in self._signals():
            one.close(max(deadline - time.monotonic(), 0.0))

    def _signals(self) -> Sequence[_Traces | _Metrics]:
        return [one for one in (self._metrics, self._traces) if one is not None]


class _Traces:
    def __init__(self, target: Target, asked: Asked) -> None:
        self._naming = Naming(semconv=asked.semconv, cost_aliases=asked.cost_aliases)
        self.tally = Tally("traces", target)
        self._sender = _span_sender(target, asked, self.tally)
        self.outbox: Outbox[LedgerEntry] = Outbox(
            "otlp-traces",
            self._deliver,
            max_items=asked.queue_size,
            max_batch=_MAX_BATCH,
            linger_seconds=_LINGER_SECONDS,
            lost=self.tally.lost,
        )

    def start(self) -> None:
        self.outbox.start()

    def _deliver(self, batch: list[LedgerEntry]) -> None:
        if batch:
            self._sender.send([span_of(entry, self._naming) for entry in batch])

    def close(self, timeout_seconds: float) -> None:
        if not self.outbox.close(timeout_seconds):
            self._sender.abort()


class _Metrics:
    def __init__(self, target: Target, asked: Asked) -> None:
        self.tally = Tally("metrics", target)
        self._sender = _metric_sender(target, self.tally)
        self._aggregator = Aggregator(asked.semconv, max_models=asked.max_models, max_pods=asked.max_pods)
        self._interval_seconds = asked.interval_seconds
        self._next = time.monotonic() + asked.interval_seconds
        self.outbox: Outbox[LedgerEntry | _Forget] = Outbox(
            "otlp-reckoning",
            self._reckon,
            max_items=asked.queue_size,
            max_batch=_MAX_BATCH,
            linger_seconds=min(_RECKON_SECONDS, asked.interval_seconds / 4),
            lost=self.tally.lost,
        )
        # One snapshot at a time: while it is on its way, figures add up for the next.
        self._snapshots: Outbox[tuple[list[Point], int]] = Outbox(
            "otlp-metrics", self._send, max_items=1, max_batch=1, linger_seconds=3600.0, lost=lambda *_: None
        )
        self._sending = False

    def start(self) -> None:
        self.outbox.start()
        self._snapshots.start()

    def _reckon(self, batch: list[LedgerEntry | _Forget]) -> None:
        for one in batch:
            if isinstance(one, _Forget):
                self._aggregator.forget_pod(one.namespace, one.pod)
            else:
                self._aggregator.accept(one, time.time_ns())
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._interval_seconds
            self._snapshot()

    def _snapshot(self) -> None:
        if self._sending:
            return
        points = self._aggregator.points()
        if points:
            self._sending = True
            self._snapshots.put((points, time.time_ns()))

    def _send(self, batch: list[tuple[list[Point], int]]) -> None:
        try:
            for points, now_ns in batch:
                self._sender.send(points, now_ns)
        finally:
            if batch:
                self._sending = False

    def close(self, timeout_seconds: float) -> None:
        """Add up what waits, then send the last figures."""
        deadline = time.monotonic() + timeout_seconds
        if self.outbox.close(timeout_seconds):
            # The aggregator's thread has ended: it is ours now.  A snapshot that is under way is not waited for beyond the deadline.
            while self._sending and time.monotonic() < deadline:
                time.sleep(0.01)
            self._snapshot()
        if not self._snapshots.close(max(deadline - time.monotonic(), 0.0)):
            self._sender.abort()


def _span_sender(target: Target, asked: Asked, tally: Tally) -> SpanSender:
    from agent.sinks.otlp.exporter import SpanSender

    return SpanSender(target, retry_seconds=asked.retry_seconds, failed=tally.failed, sent=tally.sent)


def _metric_sender(target: Target, tally: Tally) -> MetricSender:
    from agent.sinks.otlp.exporter import MetricSender

    return MetricSender(target, failed=tally.failed, sent=tally.sent)


def build(asked: Asked, environ: Mapping[str, str] | None = None) -> OtlpSink:
    """Where no endpoint is named, a sink that does nothing: then OpenTelemetry's library is not even imported."""
    return OtlpSink(resolve(asked, os.environ if environ is None else environ))
