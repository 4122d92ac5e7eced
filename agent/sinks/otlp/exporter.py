"""
The one module that imports OpenTelemetry's library: our values into its own, and its exporters.

Imported only when something is exported: it costs 30 ms and 10 MB.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Protocol

from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from agent import __version__
from agent.sinks.otlp.metrics import Instrument, Point
from agent.sinks.otlp.resource import Resource
from agent.sinks.otlp.settings import Target
from agent.sinks.otlp.spans import SpanValue
from agent.sinks.otlp.wire import Wire

_SCOPE = InstrumentationScope("podtab", __version__)
_FAILED, _UNSET = Status(StatusCode.ERROR), Status(StatusCode.UNSET)
_MAX_POINTS = 4096


class Sent(Protocol):
    """What became of a batch: so many were taken, so many were not, and why."""

    def __call__(self, *, taken: int, refused: int, reason: str) -> None: ...


class SpanSender:
    """Blocks while it tries; belongs on a thread of its own."""

    def __init__(self, target: Target, *, retry_seconds: float, failed: Callable[[str], None], sent: Sent) -> None:
        self._sent = sent
        self._wire = Wire(target, failed)
        self._exporter = OTLPSpanExporter(
            timeout=max(retry_seconds, target.timeout_seconds), **_arguments(target, self._wire)
        )

    def send(self, spans: Sequence[SpanValue]) -> None:
        resources = {span.resource: SdkResource(dict(span.resource)) for span in spans}
        self._wire.answer, self._wire.last_reason = b"", ""
        result = self._exporter.export([sdk_span(span, resources[span.resource]) for span in spans])
        if result is not SpanExportResult.SUCCESS:
            self._sent(taken=0, refused=len(spans), reason=self._wire.last_reason or "shutdown")
            return
        refused = _refused(ExportTraceServiceResponse(), self._wire.answer, "rejected_spans", len(spans))
        self._sent(taken=len(spans) - refused, refused=refused, reason="rejected" if refused else "")

    def abort(self) -> None:
        """No more tries."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class MetricSender:
    """Sends what stands now.  It does not try long: figures are cumulative, so that the next time is the repetition."""

    def __init__(self, target: Target, *, failed: Callable[[str], None], sent: Sent) -> None:
        self._sent = sent
        self._wire = Wire(target, failed)
        self._exporter = OTLPMetricExporter(timeout=target.timeout_seconds, **_arguments(target, self._wire))

    def send(self, points: Sequence[Point], now_ns: int) -> None:
        """In requests of some thousand points, each of whole resources where they fit."""
        for start in range(0, len(points), _MAX_POINTS):
            part = points[start : start + _MAX_POINTS]
            self._wire.answer, self._wire.last_reason = b"", ""
            result = self._exporter.export(metrics_data(part, now_ns))
            if result is not sdk.MetricExportResult.SUCCESS:
                self._sent(taken=0, refused=len(points) - start, reason=self._wire.last_reason or "shutdown")
                return
            refused = _refused(ExportMetricsServiceResponse(), self._wire.answer, "rejected_data_points", len(part))
            self._sent(taken=len(part) - refused, refused=refused, reason="rejected" if refused else "")

    def abort(self) -> None:
        self._exporter.shutdown()


def quiet() -> None:
    """The library logs every try, with texts that we did not write; ours says what matters, once."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)


def _arguments(target: Target, wire: Wire) -> dict[str, Any]:
    quiet()
    return {
        "endpoint": target.url,
        "headers": dict(target.headers),
        "certificate_file": target.ca_file or None,
        "client_certificate_file": target.client_certificate_file or None,
        "client_key_file": target.client_key_file or None,
        "compression": Compression(target.compression),
        "session": wire,
    }


def sdk_span(span: SpanValue, resource: SdkResource) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=SpanContext(span.trace_id, span.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)),
        resource=resource,
        attributes=span.attributes,
        kind=SpanKind.CLIENT,
        status=_FAILED if span.failed else _UNSET,
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=_SCOPE,
    )


def metrics_data(points: Sequence[Point], now_ns: int) -> sdk.MetricsData:
    """Points grouped by resource, then by instrument; they come in the order of resources."""
    groups: list[sdk.ResourceMetrics] = []
    for resource, of_resource in groupby(points, key=lambda point: point.resource):
        by_instrument: dict[Instrument, list[Point]] = {}
        for point in of_resource:
            by_instrument.setdefault(point.instrument, []).append(point)
        metrics = [_metric(instrument, some, now_ns) for instrument, some in by_instrument.items()]
        groups.append(_of_resource(resource, metrics))
    return sdk.MetricsData(resource_metrics=groups)


def _of_resource(resource: Resource, metrics: list[sdk.Metric]) -> sdk.ResourceMetrics:
    scope = sdk.ScopeMetrics(scope=_SCOPE, metrics=metrics, schema_url="")
    return sdk.ResourceMetrics(resource=SdkResource(dict(resource)), scope_metrics=[scope], schema_url="")


def _metric(instrument: Instrument, points: Sequence[Point], now_ns: int) -> sdk.Metric:
    data: sdk.Histogram | sdk.Sum
    if instrument.buckets:
        data = sdk.Histogram(
            data_points=[_histogram(point, now_ns) for point in points],
            aggregation_temporality=sdk.AggregationTemporality.CUMULATIVE,
        )
    else:
        data = sdk.Sum(
            data_points=[
                sdk.NumberDataPoint(
                    attributes=point.attributes,
                    start_time_unix_nano=point.start_ns,
                    time_unix_nano=max(now_ns, point.start_ns),
                    value=int(point.sum) if instrument.whole else float(point.sum),
                )
                for point in points
            ],
            aggregation_temporality=sdk.AggregationTemporality.CUMULATIVE,
            is_monotonic=True,
        )
    return sdk.Metric(name=instrument.name, description=instrument.help, unit=instrument.unit, data=data)


def _histogram(point: Point, now_ns: int) -> sdk.HistogramDataPoint:
    return sdk.HistogramDataPoint(
        attributes=point.attributes,
        start_time_unix_nano=point.start_ns,
        time_unix_nano=max(now_ns, point.start_ns),
        count=point.count,
        sum=point.sum,
        bucket_counts=point.bucket_counts,
        explicit_bounds=point.instrument.buckets,
        # Not kept: over the life of a series they say nothing.  None leaves them out.
        min=None,  # type: ignore[arg-type]
        max=None,  # type: ignore[arg-type]
    )


def _refused(message: Any, answer: bytes, field: str, most: int) -> int:
    """How many the collector says it did not take.  An answer that can't be read says nothing."""
    try:
        message.ParseFromString(answer)
    except DecodeError:
        return 0
    return max(0, min(int(getattr(message.partial_success, field)), most))
