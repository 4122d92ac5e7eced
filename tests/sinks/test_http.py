"""The agent's own HTTP server on loopback."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from agent.sinks import http as sinks_http
from agent.sinks.http import HttpServer, ListenError


class Answers:
    """What the health callables say."""

    def __init__(self) -> None:
        self.unhealthy = ""
        self.unready = ""


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def port(answers: Answers) -> Iterator[int]:
    registry = CollectorRegistry()
    Gauge("podtab_test_things", "Things.", registry=registry).set(3)
    server = HttpServer("127.0.0.1", 0, registry, healthy=lambda: answers.unhealthy, ready=lambda: answers.unready)
    server.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def get(port: int, path: str, host: str = "127.0.0.1", **headers: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def test_metrics_are_served(port: int) -> None:
    """In the text format, or OpenMetrics for those who ask for it."""
    status, kind, page = get(port, "/metrics?x=1")
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    assert "podtab_test_things 3.0\n" in page
    _, kind, page = get(port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert page.endswith("# EOF\n")


def test_health_says_why_not(port: int, answers: Answers) -> None:
    """200 ok, else 503 and the reason in words; each path has its own."""
    assert get(port, "/healthz")[::2] == (200, "ok\n")
    answers.unready = "no probe is attached yet"
    assert get(port, "/readyz")[::2] == (503, "no probe is attached yet\n")
    assert get(port, "/healthz")[0] == 200
    answers.unhealthy = "the core's thread has ended"
    assert get(port, "/healthz")[::2] == (503, "the core's thread has ended\n")


def test_other_paths_say_what_there_is(port: int) -> None:
    """A person who guesses finds the way."""
    status, _, text = get(port, "/")
    assert status == 404
    assert "/metrics" in text


def test_more_than_a_few_at_once_are_turned_away(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle connections cost threads: beyond the bound they are closed at once, and there is room again after them."""
    bound = sinks_http._MAX_CONCURRENT
    idle = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(bound)]
    for one in idle:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(15) == b"HTTP/1.1 200 OK"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as late:
        assert late.recv(1) == b""
    for one in idle:
        one.close()
    for _ in range(100):
        try:
            assert get(port, "/healthz")[0] == 200
        except (ConnectionError, http.client.HTTPException):
            continue  # their threads are about to end
        break
    else:
        pytest.fail("no room after the others left")


def test_a_taken_port_is_one_sentence(port: int) -> None:
    """It names the address and the option."""
    with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{port}: can't listen: .*--listen"):
        HttpServer("127.0.0.1", port, CollectorRegistry(), healthy=str, ready=str)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_all_addresses_means_both_families() -> None:
    """A cluster may have IPv6 alone."""
    server = HttpServer("", 0, CollectorRegistry(), healthy=str, ready=str)
    server.start()
    try:
        for host in ("127.0.0.1", "::1"):
            assert get(server.server_port, "/healthz", host)[0] == 200
    finally:
        server.shutdown()
        server.server_close()
