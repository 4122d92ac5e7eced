"""The export as the agent runs it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.sinks import metrics
from agent.sinks.otlp.settings import Asked
from agent.sinks.otlp.sink import OtlpSink, build
from tests.sinks.entries import entry
from tests.sinks.otlp.collector import collector, until

DOWN = "http://127.0.0.1:1"


def sink(url: str, **changes: object) -> OtlpSink:
    given = {"interval_seconds": 0.1, "retry_seconds": 0.5, "timeout_seconds": 1.0} | changes
    one = build(Asked(endpoint=url, **given), {})  # type: ignore[arg-type]
    one.start()
    return one


def test_spans_and_metrics_of_the_same_calls() -> None:
    """Both signals arrive, are counted, and the last figures are sent at the end."""
    with collector() as server:
        one = sink(server.url)
        for number in range(23):
            one.accept(entry(f"web-{number % 3}"))
        one.close(5)
        assert len(server.spans()) == 23
        calls = [
            point.as_int
            for group in server.metrics[-1].resource_metrics
            for metric in group.scope_metrics[0].metrics
            if metric.name == "podtab.calls"
            for point in metric.sum.data_points
        ]
        assert sorted(calls) == [7, 8, 8]
    samples = one.samples()
    assert samples[metrics.OTLP_EXPORTED]["traces",] == 23
    assert samples[metrics.OTLP_EXPORTED]["metrics",] > 0
    assert not samples[metrics.OTLP_DROPPED]


def test_a_collector_that_is_down_costs_nothing_but_counts(caplog: pytest.LogCaptureFixture) -> None:
    """The core is never kept waiting, losses are counted by reason, and one line a signal is logged."""
    one = sink(DOWN, queue_size=16)
    began = time.monotonic()
    for _ in range(2000):
        one.accept(entry())
    assert time.monotonic() - began < 1
    until(lambda: one.samples()[metrics.OTLP_FAILURES].get(("traces", "unreachable")))
    one.close(2)
    samples = one.samples()
    dropped = {key: value for key, value in samples[metrics.OTLP_DROPPED].items() if key[0] == "traces"}
    assert sum(dropped.values()) == 2000
    assert dropped["traces", "queue_full"] > 1000
    assert samples[metrics.OTLP_WORKING]["traces",] == 0
    said = [record for record in caplog.records if "does not take" in record.message]
    assert len(said) <= 2


def test_a_slow_collector_ends_with_the_limit() -> None:
    """Closing takes no longer than it may."""
    with collector() as server:
        server.delay_seconds = 3.0
        one = sink(server.url, timeout_seconds=10.0)
        one.accept(entry())
        began = time.monotonic()
        one.close(0.3)
        assert time.monotonic() - began < 2


def test_deleted_pods_leave_the_metrics() -> None:
    """Told once more, then no longer."""
    with collector() as server:
        one = sink(server.url, traces=False)
        one.accept(entry())
        until(lambda: server.metrics)
        one.forget_pod("shop", "web-1")
        time.sleep(0.5)
        told = len(server.metrics)
        time.sleep(0.4)
        assert len(server.metrics) <= told
        one.close(2)


def test_without_an_endpoint_the_library_is_not_imported() -> None:
    """Start-up does not pay for what is not used; a sink of no signals takes everything and does nothing."""
    code = (
        "import sys; from agent.sinks.otlp.sink import build; from agent.sinks.otlp.settings import Asked; "
        "one = build(Asked(), {}); one.start(); one.forget_pod('a', 'b'); one.close(1); assert not one.samples(); "
        "assert 'opentelemetry' not in sys.modules and 'requests' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
