"""The agent's own HTTP server on loopback."""

from __future__ import annotations

import gzip
import http.client
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from agent.sinks import http as sinks_http
from agent.sinks.http import Answer, HttpServer, ListenError, Query


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


def test_a_large_page_is_packed_for_who_asks() -> None:
    """Prometheus always asks for gzip; curl does not."""
    registry = CollectorRegistry()
    gauge = Gauge("podtab_test_things", "Things.", ["pod"], registry=registry)
    for number in range(1_000):
        gauge.labels(f"checkout-assistant-{number}").set(number)
    server = HttpServer("127.0.0.1", 0, registry, healthy=lambda: "", ready=lambda: "")
    server.start()
    try:
        plain = get(server.server_port, "/metrics")[2]
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
        connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        packed = answer.read()
        connection.close()
    finally:
        server.shutdown()
        server.server_close()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(packed) < len(plain) / 5
    assert gzip.decompress(packed).decode() == plain


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


@pytest.fixture
def routed() -> Iterator[int]:
    def echo(query: Query) -> Answer:
        return Answer(body=repr(dict(query)).encode(), content_type="text/x-echo")

    server = HttpServer(
        "127.0.0.1", 0, CollectorRegistry(), healthy=str, ready=str, routes={"/echo": echo}, hint="/echo"
    )
    server.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_routes_get_their_parameters(routed: int) -> None:
    """Decoded, each once, and not many; other paths are told of them."""
    assert get(routed, "/echo?a=1&b=%3C%20&c=") == (200, "text/x-echo", "{'a': '1', 'b': '< ', 'c': ''}")
    assert get(routed, "/echo?a=1&a=2")[::2] == (400, "each parameter once\n")
    assert get(routed, "/echo?" + "&".join(f"a{number}=1" for number in range(17)))[0] == 400
    assert get(routed, "/ech")[::2] == (404, "podtab: /metrics, /healthz, /readyz, /echo\n")


@pytest.mark.parametrize("path", ["/echo", "/healthz", "/nothing"])
def test_head_is_get_without_the_body(routed: int, path: str) -> None:
    """The same status and length."""
    answers = []
    for method in ("GET", "HEAD"):
        connection = http.client.HTTPConnection("127.0.0.1", routed, timeout=5)
        connection.request(method, path)
        answer = connection.getresponse()
        answers.append((answer.status, answer.headers["Content-Type"], bool(answer.read())))
        connection.close()
    assert answers[0][:2] == answers[1][:2]
    assert (answers[0][2], answers[1][2]) == (True, False)


@pytest.mark.parametrize("path", ["/echo", "/metrics", "/nothing"])
def test_a_browser_is_told_what_it_may_not_do(routed: int, path: str) -> None:
    """Nothing from elsewhere, no frame, no guess at types, no reading by other origins."""
    connection = http.client.HTTPConnection("127.0.0.1", routed, timeout=5)
    connection.request("GET", path, headers={"Origin": "http://elsewhere.example"})
    headers = connection.getresponse().headers
    connection.close()
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_other_methods_change_nothing(routed: int) -> None:
    """There is nothing to write."""
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        connection = http.client.HTTPConnection("127.0.0.1", routed, timeout=5)
        connection.request(method, "/echo")
        assert connection.getresponse().status == 501
        connection.close()
