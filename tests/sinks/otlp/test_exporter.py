"""Our values through OpenTelemetry's library and over a real connection."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agent.sinks.otlp.exporter import MetricSender, SpanSender
from agent.sinks.otlp.metrics import Aggregator
from agent.sinks.otlp.names import Semconv
from agent.sinks.otlp.settings import Target
from agent.sinks.otlp.spans import Naming, span_of
from tests.sinks.entries import entry
from tests.sinks.otlp.collector import FakeCollector, attributes, collector


class Results(list[tuple[int, int, str]]):
    def add(self, *, taken: int, refused: int, reason: str) -> None:
        self.append((taken, refused, reason))


def span_sender(server: FakeCollector, results: Results, failed: list[str], retry_seconds: float = 10) -> SpanSender:
    target = Target(url=server.url + "/v1/traces", timeout_seconds=5)
    return SpanSender(target, retry_seconds=retry_seconds, failed=failed.append, sent=results.add)


SPANS = [span_of(entry(pod), Naming()) for pod in ("web-1", "web-2", "web-1")]


def test_spans_arrive_whole_and_by_workload() -> None:
    """Two pods are two resources; ids, times, kind and every attribute are on the other side what they were here."""
    results = Results()
    with collector() as server:
        sender = span_sender(server, results, [])
        sender.send(SPANS)
        sender.abort()
        assert len(server.traces[0].resource_spans) == 2
        resource, got = server.spans()[0]
        assert server.requests[0][1]["content-encoding"] == "gzip"
    span = SPANS[0]
    assert resource == dict(span.resource)
    assert attributes(got) == span.attributes
    assert (int.from_bytes(got.trace_id, "big"), int.from_bytes(got.span_id, "big")) == (span.trace_id, span.span_id)
    assert (got.start_time_unix_nano, got.end_time_unix_nano) == (span.start_ns, span.end_ns)
    assert (got.name, got.kind, got.status.code) == (span.name, 3, 0)
    assert results == [(3, 0, "")]


def test_a_503_is_tried_again() -> None:
    """One failed request, and every span taken once."""
    results, failed = Results(), list[str]()
    with collector() as server:
        server.statuses = [503]
        sender = span_sender(server, results, failed)
        sender.send(SPANS)
        sender.abort()
        assert len(server.spans()) == 3
    assert (results, failed) == ([(3, 0, "")], ["http_503"])


def test_a_refusal_is_final_and_a_part_of_it_is_counted() -> None:
    """400 is not tried again; what a collector says it rejected is not called exported."""
    results, failed = Results(), list[str]()
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 2
    with collector() as server:
        server.statuses = [400]
        sender = span_sender(server, results, failed)
        sender.send(SPANS)
        server.answer = partial.SerializeToString()
        sender.send(SPANS)
        sender.abort()
        assert len(server.requests) == 2
    assert results == [(0, 3, "http_400"), (1, 2, "rejected")]


def test_metrics_arrive_cumulative() -> None:
    """Counters are monotonic sums, histograms have their buckets, and the workload is the resource."""
    sums, results = Aggregator(Semconv.CURRENT, max_models=5, max_pods=5), Results()
    sums.accept(entry(), 100)
    with collector() as server:
        sender = MetricSender(Target(url=server.url + "/v1/metrics"), failed=lambda _: None, sent=results.add)
        points = sums.points()
        sender.send(points, 200)
        sender.abort()
        [group] = server.metrics[0].resource_metrics
    assert attributes(group.resource)["k8s.pod.name"] == "web-1"
    found = {metric.name: metric for metric in group.scope_metrics[0].metrics}
    cost = found["podtab.cost.usd"].sum
    assert (cost.is_monotonic, cost.aggregation_temporality, cost.data_points[0].as_double) == (True, 2, 0.00024)
    assert (cost.data_points[0].start_time_unix_nano, cost.data_points[0].time_unix_nano) == (100, 200)
    duration = found["gen_ai.client.operation.duration"].histogram.data_points[0]
    assert (duration.count, duration.sum, len(duration.bucket_counts)) == (1, 1.0, 15)
    assert not duration.HasField("min")
    assert results == [(len(points), 0, "")]
