"""Asking an API server: real sockets on loopback that answer well, badly and not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from agent.config import loads
from agent.doctor.api import ApiAnswer, ask

EMPTY_LIST = b'{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}'


@contextmanager
def server(status: int, body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield httpd.server_address[1]
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def asked(folder: Path, address: str) -> ApiAnswer:
    file = folder / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": address}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [cluster],
                "contexts": [context],
                "users": [{"name": "u", "user": {"token": "secret-token"}}],
                "current-context": "x",
            }
        )
    )
    answer = ask(loads("", overrides={"kubeconfig": str(file)}).attribution)
    assert answer is not None
    assert "secret-token" not in answer.detail
    return answer


def test_a_server_that_lists_pods(tmp_path: Path) -> None:
    """No problem, and its address for people."""
    with server(200, EMPTY_LIST) as port:
        assert asked(tmp_path, f"http://127.0.0.1:{port}") == ApiAnswer(server=f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(("status", "problem"), [(401, "denied"), (403, "denied"), (500, "error")])
def test_a_server_that_refuses(tmp_path: Path, status: int, problem: str) -> None:
    """Missing rights are told apart from a broken server."""
    with server(status, b"{}") as port:
        answer = asked(tmp_path, f"http://127.0.0.1:{port}")
    assert answer.problem == problem
    assert str(status) in answer.detail


def test_a_server_that_is_away(tmp_path: Path) -> None:
    """Nobody listens: unreachable, at once."""
    with server(200, b"") as port:
        pass
    assert asked(tmp_path, f"http://127.0.0.1:{port}").problem == "unreachable"


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    """Told as configuration, not as a network problem."""
    answer = ask(loads("", overrides={"kubeconfig": str(tmp_path / "none")}).attribution)
    assert answer is not None
    assert answer.problem == "unconfigured"


def test_without_an_api_server_nobody_is_asked() -> None:
    """A host on its own, and pods from a file."""
    assert ask(loads("", environ={}).attribution) is None
    assert ask(loads("attribution: {pod_list: p}", environ={}).attribution) is None
