"""One page over HTTP, or a sentence."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agent.top import scrape
from agent.top.scrape import TopError, address, fetch


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/nothing" else 200)
        self.end_headers()
        self.wfile.write(b"podtab_things 1\n")

    def log_message(self, *args: object) -> None:
        """Silent."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (":9464", "http://localhost:9464/metrics"),
        ("node-7:1234", "http://node-7:1234/metrics"),
        ("node-7", "http://node-7:9464/metrics"),
        ("http://node-7:1234", "http://node-7:1234/metrics"),
        ("https://node-7/podtab/metrics?x=1", "https://node-7:443/podtab/metrics?x=1"),
        ("http://[::1]:9464/", "http://[::1]:9464/metrics"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    """What one would type is understood."""
    assert address(text).url == url


@pytest.mark.parametrize("text", ["", "ftp://x/", "http://", "x:y", "http://a b/", "a\nb", "node:99999"])
def test_what_is_no_address(text: str) -> None:
    """It is named, with an example of one that is."""
    with pytest.raises(TopError, match=f"--url {re.escape(repr(text))}: is not an address; write HOST:PORT"):
        address(text)


def test_the_page(port: int) -> None:
    """As text."""
    assert fetch(address(f"127.0.0.1:{port}")) == "podtab_things 1\n"


def test_nobody_listens() -> None:
    """The sentence says what to start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TopError, match=rf"127\.0\.0\.1:{port}/metrics: nothing listens there; start `podtab run`"):
        fetch(address(f"127.0.0.1:{port}"))


def test_somebody_else_listens(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another status, or more than any page of ours."""
    with pytest.raises(TopError, match="answers with status 404"):
        fetch(address(f"http://127.0.0.1:{port}/nothing"))
    monkeypatch.setattr(scrape, "_MAX_BYTES", 5)
    with pytest.raises(TopError, match="is larger than 5 bytes"):
        fetch(address(f"127.0.0.1:{port}"))


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that is silent, and one that speaks something else."""
    monkeypatch.setattr(scrape, "_TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = address(f"127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(TopError, match="no answer within"):
            fetch(where)
        threading.Thread(target=_say, args=(server, b"SSH-2.0-OpenSSH_9.2\r\n"), daemon=True).start()
        monkeypatch.setattr(scrape, "_TIMEOUT_SECONDS", 5.0)
        with pytest.raises(TopError, match="is not HTTP"):
            fetch(where)


def _say(server: socket.socket, what: bytes) -> None:
    for _ in range(2):
        # The first to come is the client that gave up.
        connection, _ = server.accept()
        with connection:
            connection.sendall(what)
            connection.recv(1000)


def test_a_name_that_does_not_exist() -> None:
    """Told as what it is."""
    with pytest.raises(TopError, match="can't be reached"):
        fetch(address("no-such-host.invalid:9464"))
