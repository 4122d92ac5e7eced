"""
Plaintext, real sockets: what capture makes of it is what the server's books say, whatever the client's system calls are.

The server runs in the tests' own process and is watched as well: both ends of every call are seen, and it is one call.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.records import PLAIN_POINTER
from agent.model import Chunk, Closed, Evidence, Opened, Peer
from tests import golang
from tests.kernel import watcher
from tests.kernel.plain_server import PlainServer, Served
from tests.kernel.test_loss import LOSSES
from tests.kernel.tls import Server

pytestmark = pytest.mark.kernel

FOLDER = Path(__file__).parent
PYTHON = [sys.executable, str(FOLDER / "plain_client.py")]
TIMES = 12
CHAT = {"model": "llama-3.1-8b", "messages": [{"role": "user", "content": "hello " * 40}]}
ASKED = {
    "json": ("/v1/chat/completions", CHAT),
    "sse": ("/v1/chat/completions", {**CHAT, "stream": True, "stream_options": {"include_usage": True}}),
    "ndjson": ("/api/chat", {**CHAT, "stream": True}),
}


def python(kind: str) -> Callable[[str, str, int], list[str]]:
    return lambda url, body, times: [*PYTHON, kind, url, body, str(times)]


def curl(url: str, body: str, times: int) -> list[str]:
    # One process, one connection: it is used again and again.
    return ["curl", "-sf", "-o", os.devnull, "-H", "Content-Type: application/json", "-d", body, *[url] * times]


def node(url: str, body: str, times: int) -> list[str]:
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    return ["node", str(FOLDER / "plain_client.mjs"), url, body, str(times)]


CLIENTS: dict[str, Callable[[str, str, int], list[str]]] = {
    **{kind: python(kind) for kind in ("requests", "aiohttp", "short", "pieces", "writev", "peek")},
    "curl": curl,
    "node": node,
    "go": lambda url, body, times: [str(golang.build("ask")), url, body, str(times)],
}


@pytest.fixture(scope="module")
def shared_plain_kernel() -> Iterator[Kernel]:
    if os.geteuid():
        pytest.skip("needs root: real tracepoints")
    kernel = Kernel(KernelSettings(plaintext_ports=()))
    yield kernel
    kernel.close()


@pytest.fixture
def plain_kernel(shared_plain_kernel: Kernel) -> Kernel:
    shared_plain_kernel.poll()
    return shared_plain_kernel


@pytest.fixture
def model() -> Iterator[PlainServer]:
    server = PlainServer()
    yield server
    server.close()


class Watcher(watcher.Watcher):
    """Calls to these ports."""

    def __init__(self, kernel: Kernel, *ports: int) -> None:
        super().__init__(kernel, lambda call: call.peer is not None and call.peer.port in ports)

    @property
    def told(self) -> list[Served]:
        return sorted(
            Served(
                api=call.api,
                model=call.reading.served_model,
                streaming=call.reading.streaming,
                input_tokens=call.reading.usage.input_tokens or 0,
                output_tokens=call.reading.usage.output_tokens or 0,
            )
            for call in self.calls
        )


def losses(kernel: Kernel) -> dict[str, int]:
    counters = kernel.counters()
    return {name: counters[name] for name in LOSSES}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("client", CLIENTS)
def test_calls_equal_the_books(plain_kernel: Kernel, model: PlainServer, client: str, asked: str) -> None:
    """Every call once, exact, with its peer; nothing lost, and nothing of the server's side."""
    path, body = ASKED[asked]
    command = CLIENTS[client](model.url + path, json.dumps(body), TIMES)
    before = losses(plain_kernel)
    watching = Watcher(plain_kernel, model.port)
    pid = watching.run(command)
    assert watching.told == sorted(model.books)
    assert len(model.books) == TIMES
    assert {call.reading.evidence for call in watching.calls} == {Evidence.REPORTED}
    assert {call.peer for call in watching.calls} == {Peer(address="127.0.0.1", port=model.port)}
    assert {call.conn.pid for call in watching.calls} == {pid}
    assert losses(plain_kernel) == before


def test_a_descriptor_that_is_used_again_is_another_connection(plain_kernel: Kernel, model: PlainServer) -> None:
    """Each of the twelve sockets had the same number in turn; each has an identity, a beginning at 0 and an end of its own."""
    path, body = ASKED["json"]
    watching = Watcher(plain_kernel, model.port)
    pid = watching.run(python("short")(model.url + path, json.dumps(body), TIMES))
    connections = {call.conn for call in watching.calls}
    assert len(connections) == TIMES
    assert len({conn.pointer for conn in connections}) == 1
    ended = [one.conn for one in watching.happened if isinstance(one, Closed) and one.conn.pid == pid]
    assert sorted(one.born_ns for one in ended) == sorted(conn.born_ns for conn in connections)


def test_bytes_that_were_never_in_memory_are_told_as_lost(plain_kernel: Kernel, model: PlainServer) -> None:
    """A body that goes out by sendfile: the answer still says what it used, and how many bytes are missing is known to the byte."""
    path, body = ASKED["json"]
    watching = Watcher(plain_kernel, model.port)
    watching.run(python("sendfile")(model.url + path, json.dumps(body), 3))
    assert watching.told == sorted(model.books)
    assert [call.lost_bytes for call in watching.calls] == [len(json.dumps(body))] * 3


def test_pieces_beyond_the_bound_are_told_as_lost(plain_kernel: Kernel, model: PlainServer) -> None:
    """One call with some hundred pieces: what is not walked is missing, and said to be."""
    path, body = ASKED["json"]
    body = {**body, "messages": [{"role": "user", "content": "x" * 6000}]}
    watching = Watcher(plain_kernel, model.port)
    watching.run(python("pieces")(model.url + path, json.dumps(body), 1))
    assert watching.told == sorted(model.books)
    assert watching.calls[0].lost_bytes > 3000


def test_a_file_with_the_same_bytes_is_refused(plain_kernel: Kernel, model: PlainServer) -> None:
    """A request that is written down is no call."""
    path, body = ASKED["json"]
    watching = Watcher(plain_kernel, model.port)
    command = python("file")(model.url + path, json.dumps(body), 1)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdin
        process.stdout.readline()
        watching.until(lambda: False, 0.3)
        process.stdin.close()
        watching.until(lambda: process.poll() is not None)
        watching.take()
        found = [one for one in watching.happened if isinstance(one, Chunk | Opened) and one.conn.pid == process.pid]
    assert found == []


def test_a_connection_older_than_the_agent(load: Callable[[KernelSettings], Kernel], model: PlainServer) -> None:
    """Read from its next request on; its peer is what /proc says."""
    path, body = ASKED["json"]
    command = python("told")(model.url + path, json.dumps(body), 2)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdin
        process.stdout.readline()
        watching = Watcher(load(KernelSettings(plaintext_ports=())), model.port)
        process.stdin.write(b"\n")
        process.stdin.flush()
        watching.until(lambda: len(watching.calls) == 2)
        process.stdin.close()
    assert watching.told == sorted(model.books)
    assert [call.peer for call in watching.calls] == [Peer(address="127.0.0.1", port=model.port)] * 2


def test_only_to_the_ports_that_are_asked_for(load: Callable[[KernelSettings], Kernel], model: PlainServer) -> None:
    """The same client to two servers: one of them is looked at."""
    other = PlainServer()
    try:
        path, body = ASKED["json"]
        kernel = load(KernelSettings(plaintext_ports=(1, model.port)))
        watching = Watcher(kernel, model.port, other.port)
        for server in (model, other):
            watching.run(python("short")(server.url + path, json.dumps(body), 3))
        assert watching.told == sorted(model.books)
        assert len(other.books) == 3
    finally:
        other.close()


def test_what_is_encrypted_is_never_taken(plain_kernel: Kernel, model: PlainServer, server: Server) -> None:
    """TLS goes over the same system calls; none of it becomes a connection."""
    code = (
        "import socket, ssl; c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE\n"
        f"with c.wrap_socket(socket.create_connection(('127.0.0.1', {server.port}))) as s: s.sendall(b'%08d%08d' % (0, 10)); s.recv(10)"
    )
    watching = Watcher(plain_kernel, model.port)
    pid = watching.run([sys.executable, "-I", "-S", "-c", code])
    assert [one for one in watching.happened if isinstance(one, Chunk | Opened) and one.conn.pid == pid] == []


def test_without_being_asked_nothing_is_attached(kernel: Kernel, model: PlainServer) -> None:
    """Off is off: the programs are not even compiled."""
    path, body = ASKED["json"]
    watching = Watcher(kernel, model.port)
    watching.run(python("short")(model.url + path, json.dumps(body), 2))
    assert not [one for one in watching.happened if isinstance(one, Chunk) and one.conn.pointer & PLAIN_POINTER]
