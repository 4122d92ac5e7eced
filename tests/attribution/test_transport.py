"""Requests to an API server over real sockets: every failure has its reason, answers have bounds, credentials are read anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from kubernetes import client

from agent.attribution import transport
from agent.attribution.settings import AttributionError
from agent.attribution.transport import ApiError, Reason, Transport, connect, connector, error_of_status


class Server(ThreadingHTTPServer):
    """``answer`` is given the handler of each request."""

    daemon_threads = True
    answer: Callable[[BaseHTTPRequestHandler], None]

    def handle_error(self, *_: object) -> None:
        pass


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.answer(self)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass


def say(status: int, body: bytes = b"{}", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.answer = say(200)
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def client_of(server: Server, scheme: str = "http") -> client.ApiClient:
    configuration = client.Configuration()
    configuration.host = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    configuration.retries = False
    return client.ApiClient(configuration)


def failure(api: Transport, seconds: float = 5) -> ApiError:
    with pytest.raises(ApiError) as caught:
        api.get("/x", {}, seconds=seconds)
    return caught.value


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.UNAUTHENTICATED),
        (403, Reason.DENIED),
        (404, Reason.NOT_FOUND),
        (410, Reason.EXPIRED),
        (429, Reason.THROTTLED),
        (500, Reason.SERVER_ERROR),
        (504, Reason.SERVER_ERROR),
        (418, Reason.BAD_ANSWER),
        (0, Reason.BAD_ANSWER),
    ],
)
def test_every_status_has_its_reason(status: int, reason: Reason) -> None:
    """A closed set, for a label."""
    assert error_of_status(status).reason is reason


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("", 0.0), ("soon", 0.0), ("-1", 0.0), ("9" * 50, 0.0)])
def test_retry_after(said: str, seconds: float) -> None:
    """A number of seconds, or nothing."""
    assert error_of_status(429, said).retry_after_seconds == seconds


def test_objects_and_refusals(server: Server) -> None:
    """JSON objects are given; a refusal carries its status and never the server's text."""
    api = Transport(lambda: client_of(server))
    server.answer = say(200, b'{"kind": "Pod"}')
    assert api.get("/x", {}, seconds=5) == {"kind": "Pod"}
    server.answer = say(429, b'{"message": "secret"}', Retry_After="3")
    error = failure(api)
    assert (error.reason, error.retry_after_seconds, str(error)) == (Reason.THROTTLED, 3.0, "throttled 429")


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b'{"kind":'])
def test_what_is_no_object_is_a_bad_answer(server: Server, body: bytes) -> None:
    """A login page of a proxy, an empty answer, half of one."""
    server.answer = say(200, body)
    assert failure(Transport(lambda: client_of(server))).reason is Reason.BAD_ANSWER


def test_answers_are_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never stops talking can't fill the memory."""
    monkeypatch.setattr(transport, "_MAX_BODY_BYTES", 1000)
    monkeypatch.setattr(transport, "_MAX_LINE_BYTES", 1000)
    server.answer = say(200, b" " * 5000)
    api = Transport(lambda: client_of(server))
    assert failure(api).reason is Reason.BAD_ANSWER
    with pytest.raises(ApiError), api.watch("/x", {}, silent_seconds=5) as events:
        list(events)


def test_slow_absent_and_plain_servers(server: Server) -> None:
    """Time-out, refusal, and one that speaks no TLS, each by its name."""
    api = Transport(lambda: client_of(server))
    server.answer = lambda handler: time.sleep(1)
    assert failure(api, seconds=0.2).reason is Reason.TIMEOUT
    assert failure(Transport(lambda: client_of(server, "https"))).reason is Reason.TLS
    server.shutdown()
    server.server_close()
    assert failure(api).reason is Reason.UNREACHABLE


def test_events_are_lines(server: Server) -> None:
    """Read as they come, also when they are cut anywhere."""
    server.answer = say(200, b'{"type": "ADDED"}\n\n{"type": "DELETED"}\n')
    with Transport(lambda: client_of(server)).watch("/x", {}, silent_seconds=5) as events:
        assert [event["type"] for event in events] == ["ADDED", "DELETED"]


def test_credentials_are_read_anew_after_a_refusal(server: Server) -> None:
    """A rotated token is in use from the next request on; a file that is missing then is a reason, not a crash."""
    made = 0

    def make() -> client.ApiClient:
        nonlocal made
        made += 1
        if made == 2:
            raise AttributionError("no token just now")
        return client_of(server)

    api = Transport(make)
    server.answer = say(401)
    assert failure(api).reason is Reason.UNAUTHENTICATED
    assert failure(api).reason is Reason.CREDENTIALS
    server.answer = say(200)
    assert api.get("/x", {}, seconds=5) == {}
    api.get("/x", {}, seconds=5)
    assert made == 3


def test_close_ends_a_waiting_watch(server: Server) -> None:
    """An agent that stops does not wait for the server's next word."""
    release = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        # In chunks, as API servers do: each is read when it comes.
        handler.protocol_version = "HTTP/1.1"
        say(200, b'12\r\n{"type": "ADDED"}\n\r\n', Transfer_Encoding="chunked")(handler)
        release.wait(60)

    server.answer = answer
    api = Transport(lambda: client_of(server))
    began = time.monotonic()
    with api.watch("/x", {}, silent_seconds=50) as events:
        next(events)
        threading.Timer(0.1, api.close).start()
        with pytest.raises(ApiError):
            list(events)
    assert time.monotonic() - began < 30
    release.set()
    assert failure(api).reason is Reason.UNREACHABLE


def test_no_access_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig that is none; no service account."""
    (tmp_path / "config").write_text("hello")
    with pytest.raises(AttributionError, match="no usable access"):
        Transport(connector(kubeconfig=str(tmp_path / "config")))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(AttributionError, match="--pod-list"):
        connect()
