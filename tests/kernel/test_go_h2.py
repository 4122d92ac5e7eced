"""HTTP/2 of net/http, both ends watched: what the client's process was seen to send is what the server's was seen to get, byte by byte, and so back."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from agent.capture.kernel import Kernel
from agent.model import Direction
from tests import golang
from tests.kernel import tls
from tests.kernel.test_loss import LOSSES

pytestmark = pytest.mark.kernel

ROUNDS, GOROUTINES = 7, 19
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, 3.4
DATA = 0


def frames(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, payload) of every frame, to the last byte."""
    at = 0
    while at < len(stream):
        size = int.from_bytes(stream[at : at + 3], "big")
        payload = stream[at + 9 : at + 9 + size]
        assert len(payload) == size, "the stream ends within a frame"
        yield stream[at + 3], payload
        at += 9 + size


def test_both_ends_saw_the_same_bytes(kernel: Kernel) -> None:
    """Streams of many goroutines on one connection, in JSON and in events; the frames are whole, and their data is what the server counted."""
    if not kernel.cookies:
        pytest.skip("kernels before 5.15 have no cookies: Go is told as unreadable there")
    calls, serve = str(golang.build("calls", golang.STRIPPED)), str(golang.build("serve"))
    before = {name: kernel.counters()[name] for name in LOSSES}
    links = [kernel.attach(program, tls.sites(program).sites) for program in (calls, serve)]
    try:
        with subprocess.Popen([serve], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdin
            assert server.stdout
            port = int(server.stdout.readline())
            client = subprocess.Popen(
                [calls, str(ROUNDS), str(GOROUTINES), "chat", "stream"],
                env={**os.environ, "CALLS_URL": f"https://127.0.0.1:{port}/v1/chat/completions"},
            )
            happened = tls.until(
                kernel, lambda happened: client.poll() is not None and bool(tls.closed(happened, client.pid))
            )
            assert client.wait(timeout=30) == 0
            server.stdin.close()
            said = json.loads(server.stdout.readline())
        happened += tls.until(kernel, lambda _: False, seconds=0.2)
    finally:
        for link in links:
            link.close()
    assert {name: kernel.counters()[name] for name in LOSSES} == before
    assert said["calls"] == ROUNDS * GOROUTINES * 2
    ours, theirs = tls.streams(happened, client.pid), tls.streams(happened, server.pid)
    sent = {conn: data for (conn, direction), data in ours.items() if direction is Direction.SENT}
    heard = {conn: data for (conn, direction), data in ours.items() if direction is Direction.RECEIVED}
    assert sorted(sent.values()) == sorted(data for (_, way), data in theirs.items() if way is Direction.RECEIVED)
    assert sorted(heard.values()) == sorted(data for (_, way), data in theirs.items() if way is Direction.SENT)
    bodies = [payload for data in sent.values() for kind, payload in frames(data.removeprefix(PREFACE)) if kind == DATA]
    answers = [payload for data in heard.values() for kind, payload in frames(data) if kind == DATA]
    assert all(data.startswith(PREFACE) for data in sent.values())
    assert (sum(map(len, bodies)), sum(map(len, answers))) == (said["received"], said["sent"])
