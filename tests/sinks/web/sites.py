"""A site with calls in it, for tests of the API and of the page."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson
from prometheus_client import CollectorRegistry

from agent.model import CoverageReason, Process, ProcessCoverage
from agent.sinks.connections import Outcomes
from agent.sinks.coverage import Covered
from agent.sinks.http import HttpServer
from agent.sinks.web import Capture, Identity, Site
from tests.sinks.entries import WEB

IN_FORCE = Capture(
    reason="",
    link_kind="uprobe_multi",
    libraries_probed=3,
    libraries_failed=1,
    sites_emulated=18,
    sites_single_stepped=2,
)
DOCTOR = '{"ok": true, "checks": []}'


def covered(pid: int = 7, reason: CoverageReason = CoverageReason.READABLE, **texts: str) -> Covered:
    process = Process(pid=pid, start_ticks=1, name=texts.pop("name", "python3"), cgroup_id=1, cgroup_path="/")
    texts.setdefault("library", "/usr/lib/libssl.so.3")
    return Covered(workload=WEB, coverage=ProcessCoverage(process=process, reason=reason, **texts))


@dataclass
class Made:
    """What the site is told, to be changed by a test."""

    capture: Capture = IN_FORCE
    covered: list[Covered] = field(default_factory=list)
    connections: Outcomes = field(default_factory=dict)
    site: Site = field(init=False)
    started_at_ns: int = 10**18
    port: int = 0

    def __post_init__(self) -> None:
        self.site = Site(
            Identity(
                node="node-1", cluster="prod", version="1.2.3", price_book="2026-11", started_at_ns=self.started_at_ns
            ),
            capture=lambda: self.capture,
            coverage=lambda: self.covered,
            connections=lambda: self.connections,
            doctor=lambda: DOCTOR,
            max_pods=50,
        )

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()

    def json(self, path: str) -> dict[str, object]:
        status, headers, body = self.get(path)
        assert (status, headers["Content-Type"]) == (200, "application/json")
        value = orjson.loads(body)
        assert isinstance(value, dict)
        return value


@contextmanager
def serving(made: Made) -> Iterator[Made]:
    """On loopback, over HTTP, as the agent serves it."""
    server = HttpServer(
        "127.0.0.1",
        0,
        CollectorRegistry(),
        healthy=str,
        ready=lambda: made.capture.reason,
        routes=made.site.routes(),
        hint="/, /api/v1/summary",
    )
    server.start()
    made.port = server.server_port
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
