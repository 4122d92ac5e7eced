"""
Both ends of a TLS connection on one node are one call, the client's, whatever serves and whenever the agent came; and a gateway that ends TLS and
speaks it again is one cost, with the pod that asked.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection, serve

from agent.capture.kernel import Kernel, KernelSettings
from agent.demo import books
from agent.model import Call, Cost, Unpriced
from agent.pipeline.gateways import VIA
from tests.dialects.test_golden_sessions import SESSIONS
from tests.kernel import packages, tls
from tests.kernel.both_ends import Agent, gateway
from tests.kernel.test_http2 import served, tokens
from tests.kernel.test_websocket import GOLDEN, playing
from tests.kernel.test_without_symbols import sites
from tests.kernel.tls import Client, Provider

pytestmark = pytest.mark.kernel

TIMES = 5
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
STREAMED = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture
def kernel(load: Callable[[KernelSettings], Kernel]) -> Kernel:
    """Of each test's own: what a server's connection was judged by another one must not stick to its pointer."""
    return load(KernelSettings())


@pytest.fixture
def agent(kernel: Kernel) -> Iterator[Agent]:
    """Every program that uses the system's OpenSSL is watched: clients, nginx and Python's servers."""
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites)
    yield Agent(kernel)
    link.close()


def curl(port: int, version: str, asked: object, host: str = "ai-gateway") -> list[str]:
    url = f"https://{host}:{port}/v1/chat/completions"
    about = ["-H", "Content-Type: application/json", "-H", "Authorization: Bearer sk-demo-gateway"]
    return ["curl", "-skf", f"--{version}", "--resolve", f"{host}:{port}:127.0.0.1", *about,
            "-d", json.dumps(asked), *[url] * TIMES]  # fmt: skip


def of(agent: Agent, *pids: int) -> list[Call]:
    """The calls of these processes: the machine has others."""
    return [one.call for one in agent.calls if one.call.conn.pid in pids]


# A connection of HTTP/1.1 that is kept: http2_client.py's words.
HTTP1 = f"""
import http.client, os, ssl, sys
for line in sys.stdin:
    word, *times = line.split()
    if word == "open":
        connection = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=ssl._create_unverified_context())
    for _ in range(int(times[0]) if times else 0):
        head = {{"Host": "api.openai.com", "Authorization": "Bearer sk-demo-http1", "Content-Type": "application/json"}}
        connection.request("POST", "/v1/chat/completions", {json.dumps(STREAMED)!r}, head)
        connection.getresponse().read()
    if word == "close":
        connection.close()
    print("ok", os.getpid(), flush=True)
"""
CLIENTS = {
    "http1.1": [sys.executable, "-c", HTTP1],
    "http2": [sys.executable, str(tls.FOLDER / "http2_client.py")],
}


@pytest.mark.parametrize("version", CLIENTS)
@pytest.mark.parametrize("since", ["the start", "the middle"])
def test_both_ends_are_one_call(kernel: Kernel, provider: Provider, version: str, since: str) -> None:
    """From its first byte, and of a connection that is older than the agent: the server's end is known by who asks."""
    client = Client(CLIENTS[version], provider.port)
    try:
        client.say("open", "call 2")
        if since == "the start":
            client.say("close")
        before = len(books.read(provider.books))
        link = kernel.attach(tls.LIBSSL, tls.best_plan().sites)
        try:
            agent = Agent(kernel)
            client.say(*(["open"] if since == "the start" else []), f"call {TIMES}", "close")
            agent.until(lambda: len(of(agent, client.pid)) == TIMES and provider.pid in agent.verdicts)
        finally:
            link.close()
    finally:
        client.kill()
    assert tokens(of(agent, client.pid)) == served(provider.books, before)
    assert agent.verdicts[provider.pid] == {"server_side"}
    assert not of(agent, provider.pid)
    assert not [one for one in agent.quarantined if one.conn.pid in (client.pid, provider.pid)]


def test_both_ends_of_a_websocket_are_one_session(agent: Agent, certificates: tuple[Path, Path]) -> None:
    """The server's handshake tells; it runs in the tests' own process."""
    with playing(certificates, compressed=False) as port:
        client = Client([sys.executable, str(tls.FOLDER / "websocket_client.py")], port)
        try:
            client.say(f"play none {SESSIONS[0]}")
            turns = len(GOLDEN[0]["expected"])
            agent.until(lambda: len(of(agent, client.pid)) == turns and os.getpid() in agent.verdicts)
        finally:
            client.kill()
    assert agent.verdicts[os.getpid()] == {"server_side"}
    assert not of(agent, os.getpid())


# As http2_client.py is told.
TALK = """
import os, ssl, sys
from websockets.sync.client import connect
for line in sys.stdin:
    word, *times = line.split()
    if word == "open":
        session = connect(f"wss://127.0.0.1:{sys.argv[1]}/v1/realtime?model=m", ssl=ssl._create_unverified_context(), compression=None)
    for _ in range(int(times[0]) if times else 0):
        session.send('{"type":"response.create"}')
        session.recv()
    if word == "close":
        session.close()
    print("ok", os.getpid(), flush=True)
"""


def test_both_ends_of_a_websocket_from_before_are_one_session(kernel: Kernel, certificates: tuple[Path, Path]) -> None:
    """The client's is told as missed, the server's as a server's, and nothing is counted; the server runs in the tests' own process."""

    def answer(connection: ServerConnection) -> None:
        for _ in connection:
            connection.send('{"type":"response.done"}')

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates)
    with serve(answer, "127.0.0.1", 0, ssl=context, compression=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client([sys.executable, "-c", TALK], server.socket.getsockname()[1])
        try:
            client.say("open", "call 2")
            link = kernel.attach(tls.LIBSSL, tls.best_plan().sites)
            try:
                agent = Agent(kernel)
                client.say(f"call {TIMES}")
                agent.until(lambda: {client.pid, os.getpid()} <= set(agent.verdicts))
                client.say("close")
            finally:
                link.close()
        finally:
            client.kill()
    assert agent.verdicts[client.pid] == {"session_missed"}
    assert agent.verdicts[os.getpid()] == {"server_side"}
    assert not of(agent, client.pid, os.getpid())


@pytest.mark.parametrize("version", ["http1.1", "http2"])
@pytest.mark.parametrize("name", ["nginx", "envoy"])
def test_a_gateway_that_ends_tls_is_one_cost(
    agent: Agent,
    kernel: Kernel,
    provider: Provider,
    certificates: tuple[Path, Path],
    tmp_path: Path,
    name: str,
    version: str,
) -> None:
    """Four ends of two connections: twice the calls, as both sides move tokens, and the provider's books once, with who asked."""
    if name == "nginx" and not shutil.which("nginx"):
        pytest.skip("needs nginx (scripts/test installs it)")
    since = len(books.read(provider.books))
    with gateway(name, tmp_path, provider, certificates) as (gateway_pid, port):
        library = packages.ENVOY.file()
        link = kernel.attach(str(library), sites(library).sites) if name == "envoy" else None
        try:
            clients = {agent.run(curl(port, version, asked)) for asked in (CHAT, STREAMED)}
            mine = {*clients, gateway_pid, provider.pid}
            agent.until(lambda: len(of(agent, *mine)) == 4 * TIMES)
        finally:
            if link is not None:
                link.close()
    calls = [one for one in agent.calls if one.call.conn.pid in mine]
    inner = [one for one in calls if one.call.conn.pid == gateway_pid]
    outer = [one for one in calls if one.call.conn.pid in clients]
    assert [one.cost for one in inner] == [Unpriced(reason=VIA)] * 2 * TIMES
    assert all(isinstance(one.cost, Cost) and one.cost.total_usd > 0 for one in outer)
    assert tokens([one.call for one in outer]) == tokens([one.call for one in inner]) == served(provider.books, since)
    assert {one.call.host for one in outer} == {"ai-gateway"}
    assert {one.call.host for one in inner} == {"api.openai.com"}
    assert agent.verdicts[gateway_pid] == {"server_side", "known_host"}
    assert agent.verdicts[provider.pid] == {"server_side"}
    assert not [one for one in agent.quarantined if one.conn.pid in mine]
