"""What is said of the network."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import pytest
import requests

from agent.sinks.otlp.settings import Target
from agent.sinks.otlp.wire import Wire, reason_of
from tests.sinks.otlp.collector import FakeCollector, collector


def post(server: FakeCollector, failed: list[str], **changes: str) -> tuple[Wire, requests.Response]:
    wire = Wire(Target(url=server.url, timeout_seconds=5, **changes), failed.append)  # type: ignore[arg-type]
    with wire:
        return wire, wire.request("POST", server.url + "/v1/traces", data=b"", allow_redirects=False)


def test_a_redirect_is_no_success() -> None:
    """The official exporter would call it one, though nothing was taken."""
    failed: list[str] = []
    with collector() as server:
        server.statuses = [302]
        assert post(server, failed)[1].status_code == 400
    assert failed == ["http_3xx"]


def test_a_flood_of_an_answer_is_not_kept() -> None:
    """64 KiB at most are read."""
    with collector() as server:
        server.answer = b"x" * 1_000_000
        assert post(server, [])[0].answer == b""


def test_headers_of_the_file_are_renewed(tmp_path: Path) -> None:
    """A secret that Kubernetes renews is sent with the next request; in the middle of that, the old one is, and it is counted."""
    file, failed = tmp_path / "headers", list[str]()
    file.write_text("authorization: one\n")
    with collector() as server, Wire(Target(url=server.url, headers_file=str(file)), failed.append) as wire:
        for number, text in enumerate((None, "authorization: two\n", "broken\n")):
            if text is not None:
                file.write_text(text)
                os.utime(file, ns=(number, number))
            wire.request("POST", server.url + "/v1/traces", data=b"")
        assert [headers["authorization"] for _, headers in server.requests] == ["one", "two", "two"]
    assert failed == ["headers_file"]


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (requests.exceptions.SSLError(ssl.SSLError("x")), "tls"),
        (requests.exceptions.ConnectionError(socket.gaierror(-2, "x")), "dns"),
        (requests.exceptions.ReadTimeout(), "timeout"),
        (requests.exceptions.ConnectionError(ConnectionRefusedError()), "unreachable"),
    ],
)
def test_reasons(error: Exception, word: str) -> None:
    """What to mend differs: certificates, names, speed, or the collector itself."""
    assert reason_of(error) == word
