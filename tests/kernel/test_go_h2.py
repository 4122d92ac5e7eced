"""
HTTP/2 of net/http, both ends watched: what the client's process was seen to send is what the server's was seen to get, byte by byte, and
so back; and each call on it is counted.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from agent.capture.kernel import Kernel
from agent.capture.ring import Happening
from agent.dialects import DIALECTS
from agent.model import Chunk, Closed, Direction, Evidence, Outcome, PricedCall, Unpriced, Verdict
from agent.pipeline.pipeline import Pipeline
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    happened: list[Happening]
    client: int
    server: int
    said: dict[str, int]
    """By the server: calls, received and sent bytes of bodies."""


@pytest.fixture(scope="module")
def watched(shared_kernel: Kernel) -> Watched:
    """Streams of many goroutines on shared connections, in JSON and in events, with both processes watched."""
    kernel = shared_kernel
    if not kernel.cookies:
        pytest.skip("kernels before 5.15 have no cookies: Go is told as unreadable there")
    kernel.poll()
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
            happened = tls.until(kernel, lambda _: client.poll() is not None, seconds=60)
            assert client.wait(timeout=1) == 0
            server.stdin.close()
            said = json.loads(server.stdout.readline())
        happened += tls.until(kernel, lambda _: False, seconds=0.2)
    finally:
        for link in links:
            link.close()
    assert {name: kernel.counters()[name] for name in LOSSES} == before
    assert said["calls"] == ROUNDS * GOROUTINES * 2
    return Watched(happened=happened, client=client.pid, server=server.pid, said=said)


def test_both_ends_saw_the_same_bytes(watched: Watched) -> None:
    """What one was seen to send the other was seen to get; the frames are whole, and their data is what the server counted."""
    ours, theirs = (tls.streams(watched.happened, pid) for pid in (watched.client, watched.server))
    sent = [data for (_, way), data in ours.items() if way is Direction.SENT]
    heard = [data for (_, way), data in ours.items() if way is Direction.RECEIVED]
    assert sorted(sent) == sorted(data for (_, way), data in theirs.items() if way is Direction.RECEIVED)
    # net/http may make a connection more than it needs and hangs up without a word; what a server says into that, or into any connection
    # that is being closed, nobody reads.  So of each of its streams the client has the beginning, and no data is in the rest.
    begun: dict[bytes, bytes] = {}
    for whole in (data for (_, way), data in theirs.items() if way is Direction.SENT):
        begin = max((one for one in heard if whole.startswith(one)), key=len, default=b"")
        begun[begin] = whole[len(begin) :]
        assert DATA not in {kind for kind, _ in frames(begun[begin])}
    assert begun.keys() - {b""} == set(heard)
    assert all(data.startswith(PREFACE) for data in sent)
    bodies = [payload for data in sent for kind, payload in frames(data.removeprefix(PREFACE)) if kind == DATA]
    answers = [payload for data in heard for kind, payload in frames(data) if kind == DATA]
    assert sum(map(len, bodies)) == watched.said["received"]
    assert sum(map(len, answers)) == watched.said["sent"]


def test_every_call_is_counted(watched: Watched) -> None:
    """Model, usage, evidence: of each stream of each connection."""
    core = Pipeline(dialects=DIALECTS, provider_of=lambda _: "openai", price=lambda _: Unpriced(reason="unknown_model"))
    outputs = [
        output
        for event in watched.happened
        if isinstance(event, Chunk | Closed) and event.conn.pid == watched.client
        for output in core.receive(event)
        if not isinstance(output, Verdict)
    ]
    found = Counter(
        (
            one.call.outcome,
            reading.evidence,
            reading.requested_model,
            reading.usage.input_tokens,
            reading.usage.output_tokens,
        )
        for one in outputs
        if isinstance(one, PricedCall) and (reading := one.call.reading)
    )
    calls = ROUNDS * GOROUTINES
    assert found == {
        (Outcome.OK, Evidence.REPORTED, "gpt-4o-mini", 3, 40): calls,
        (Outcome.OK, Evidence.REPORTED, "gpt-4.1", 3, 40): calls,
    }
    assert len(outputs) == 2 * calls
