"""
Sessions over real TLS, by Python's ``websockets`` and Node's ``ws``, plain and compressed: every turn is captured, counted and priced as
the golden sessions say.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from agent.capture.kernel import Kernel
from agent.capture.ring import Happening
from agent.capture.selection import Choice
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.capture.targets import Targets
from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.model import Chunk, Closed, ConnId, Verdict
from agent.pipeline.pipeline import Pipeline
from agent.pricing import Pricer
from agent.replay import Result, to_json
from tests.dialects.test_golden_sessions import SESSIONS
from tests.kernel import tls
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel

FOLDER = Path(__file__).parent
# Kept between runs; `ws` itself needs no other package.
NODE = FOLDER.parents[1] / ".cache" / "kernel-node"
WS_VERSION = "8.23.0"
GOLDEN: list[dict[str, Any]] = [json.loads(path.read_text("utf-8")) for path in SESSIONS]


def node() -> list[str]:
    """The command of the Node client, whose library is installed once."""
    if shutil.which("npm") is None:
        pytest.skip("needs Node.js and npm")
    stamp = NODE / f"ws-{WS_VERSION}"
    if not stamp.exists():
        install = ["npm", "install", "--prefix", NODE, "--no-save", "--no-audit", "--no-fund", f"ws@{WS_VERSION}"]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
        stamp.touch()
    return ["env", f"NODE_PATH={NODE / 'node_modules'}", "node", str(FOLDER / "websocket_client.cjs")]


COMMANDS: dict[str, Callable[[], list[str]]] = {
    "python": lambda: [sys.executable, str(FOLDER / "websocket_client.py")],
    "node": node,
}


@contextlib.contextmanager
def playing(certificates: tuple[Path, Path], *, compressed: bool) -> Iterator[int]:
    """The server's side, one session a connection in the order of the files, hanging up at each one's end; yields its port."""
    sessions = iter(GOLDEN)

    async def answer(connection: ServerConnection) -> None:
        golden = next(sessions)
        for direction, said in golden["messages"]:
            if direction == "sent":
                assert json.loads(await connection.recv()) == said
            else:
                text = json.dumps(said)
                # Gemini says its JSON in binary messages.
                await connection.send(text.encode() if "BidiGenerate" in golden["url"] else text)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> Server:
        return await serve(answer, "127.0.0.1", 0, ssl=context, compression="deflate" if compressed else None)

    async def stop(server: Server) -> None:
        server.close()
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(timeout=30)
    try:
        yield next(iter(server.sockets)).getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextlib.contextmanager
def watched(kernel: Kernel, client: Client, *beside: int) -> Iterator[None]:
    """Whatever TLS libraries the client uses are probed, and those of the processes ``beside`` it."""
    pids = (client.pid, *beside)
    targets = Targets(
        kernel,
        planner=lambda elf: plan(elf, Abilities(uretprobe_safe=True)),
        choose=lambda process: Choice.SELECTED if process.pid in pids else Choice.UNSELECTED,
        learn=lambda _: None,
    )
    try:
        for pid in pids:
            targets.started(pid, time.time_ns())
        assert {library.error for library in targets.status()} == {""}
        yield
    finally:
        targets.close()


def turns(happened: list[Happening], pid: int) -> list[list[dict[str, Any]]]:
    """What the core makes of it: the lines of ``podtab replay --json``, connection by connection."""
    core = Pipeline(dialects=DIALECTS, provider_of=Providers().provider_of, price=Pricer().price)
    found: dict[ConnId, list[dict[str, Any]]] = {}
    for event in happened:
        if isinstance(event, Chunk | Closed) and event.conn.pid == pid:
            lines = found.setdefault(event.conn, [])
            outputs = [output for output in core.receive(event) if not isinstance(output, Verdict)]
            lines += [json.loads(to_json(Result(id="", output=output))) for output in outputs]
    return list(found.values())


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("kind", COMMANDS)
def test_every_turn_of_a_real_client_is_counted_and_priced(
    kernel: Kernel, certificates: tuple[Path, Path], kind: str, compressed: bool
) -> None:
    """All golden sessions, one connection each: models, tokens, costs, evidence and outcomes equal, and no turn more."""
    with playing(certificates, compressed=compressed) as port:
        client = Client(COMMANDS[kind](), port)
        try:
            # It has its library when it has begun to read what it is told.
            client.say("play none")
            with watched(kernel, client):
                client.say(" ".join(["play", "deflate" if compressed else "none", *map(str, SESSIONS)]))
                happened = tls.until(kernel, lambda all_: len(tls.closed(all_, client.pid)) == len(SESSIONS))
        finally:
            client.kill()
    found = turns(happened, client.pid)
    expected = [golden["expected"] for golden in GOLDEN]
    assert [len(lines) for lines in found] == [len(session) for session in expected]
    assert [
        [{name: line.get(name) for name in turn} for line, turn in zip(lines, session, strict=True)]
        for lines, session in zip(found, expected, strict=True)
    ] == expected
    extension = b"Sec-WebSocket-Extensions: permessage-deflate".lower()
    heads = [chunk.data.lower() for chunk in tls.chunks(happened, client.pid) if chunk.data.startswith(b"HTTP/1.1 101")]
    assert [extension in head for head in heads] == [compressed] * len(SESSIONS)
