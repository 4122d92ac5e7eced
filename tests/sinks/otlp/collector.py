"""A fake collector: a real HTTP server that decodes what comes with OpenTelemetry's own protocol buffers, and misbehaves on demand."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class _Handler(BaseHTTPRequestHandler):
    server: FakeCollector
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        collector = self.server
        with collector.lock:
            collector.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            status = collector.statuses.pop(0) if collector.statuses else 200
            # Once: a test may set the next one as soon as its client has read this one's head.
            answer = collector.answer
        time.sleep(collector.delay_seconds)
        if status == 200:
            message: Any = (
                ExportTraceServiceRequest() if self.path.endswith("/traces") else ExportMetricsServiceRequest()
            )
            message.ParseFromString(body)
            with collector.lock:
                (collector.traces if self.path.endswith("/traces") else collector.metrics).append(message)
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Tests speak for themselves."""


class FakeCollector(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.traces: list[Any] = []
        self.metrics: list[Any] = []
        self.statuses: list[int] = []
        """Answers to come; 200 after them."""
        self.answer = b""
        self.delay_seconds = 0.0
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[Any]:
        """Pairs of a resource's attributes and a span."""
        return [
            (attributes(group.resource), span)
            for message in self.traces
            for group in message.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of some tests."""


@contextmanager
def collector(context: ssl.SSLContext | None = None) -> Iterator[FakeCollector]:
    server = FakeCollector()
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def attributes(owner: Any) -> dict[str, Any]:
    """A message's attributes as Python values."""
    return {one.key: _value(one.value) for one in owner.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return tuple(_value(one) for one in value.array_value.values) if kind == "array_value" else getattr(value, kind)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for it, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)
