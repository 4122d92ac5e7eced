"""Stacks that nobody can read, in real clients on real connections: told of the process, with stack and remedy, and of no other."""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.capture.targets import SIGNS_AFTER_NS, Targets
from agent.model import CoverageReason, Direction, ProcessCoverage
from tests import rust
from tests.capture.machine import rescan
from tests.kernel import tls
from tests.kernel.packages import AIOQUIC
from tests.kernel.tls import Client
from tests.kernel.web import HttpsServer

pytestmark = pytest.mark.kernel

# An address of the loopback that nobody else binds, because signs are about port 443.
SHOP = "127.44.3.1"
LOOKS = itertools.count(1)


@pytest.fixture
def web(certificates: tuple[Path, Path]) -> Iterator[HttpsServer]:
    server = HttpsServer(certificates)
    yield server
    server.close()


def start(*command: str | Path) -> Client:
    """Its last argument is where it is to call."""
    *program, where = map(str, command)
    return Client(program, where)


def started(follow: Callable[[set[int]], Targets], client: Client) -> Targets:
    targets = follow({client.pid})
    targets.started(client.pid, time.time_ns())
    return targets


def told(targets: Targets) -> ProcessCoverage | None:
    """What is said after the next look for signs; there is one process."""
    rescan(targets, time.time_ns() + next(LOOKS) * SIGNS_AFTER_NS)
    return next(iter(targets.coverage()), None)


# ------------------------------------------------------------------------------------------------------------------- Rust


@pytest.mark.timeout(700)
def test_stripped_rustls_is_told(web: HttpsServer, follow: Callable[[set[int]], Targets], tmp_path: Path) -> None:
    """From its start: a program is built with it to use it.  With its symbols it is read: tests/kernel/test_tls_rustls.py."""
    program = Path(shutil.copy(rust.build("rust", "rustls"), tmp_path / "client"))
    subprocess.run(["strip", "-s", program], check=True)
    client = start(program, web.url)
    try:
        said = told(started(follow, client))
        client.say("call")
    finally:
        client.kill()
    assert len(web.calls) == 1
    assert said is not None
    assert said.reason is CoverageReason.CANNOT_DECRYPT
    assert said.library == str(program)
    assert said.detail.startswith("rustls 0.")
    assert "stripped" in said.detail
    assert "native-tls" in said.remedy


@pytest.mark.timeout(700)
@pytest.mark.parametrize("feature", ["native", "rustls"])
def test_what_is_advised_is_read(
    kernel: Kernel, web: HttpsServer, follow: Callable[[set[int]], Targets], feature: str
) -> None:
    """The remedies work: the same program on OpenSSL, and on rustls with its symbols, byte by byte."""
    client = start(rust.build("rust", feature), web.url)
    try:
        targets = started(follow, client)
        said = told(targets)
        client.say("call")
        [(received, sent)] = web.calls
        happened = tls.until(
            kernel, lambda all_: sum(len(one.data) for one in tls.chunks(all_, client.pid)) >= len(received + sent)
        )
    finally:
        client.kill()
    assert said is not None
    assert said.reason is CoverageReason.READABLE
    found = tls.streams(happened, client.pid)
    assert {direction: data for (_, direction), data in found.items()} == {
        Direction.SENT: received,
        Direction.RECEIVED: sent,
    }


# ------------------------------------------------------------------------------------------------------------------- Java


def test_java_is_told_when_it_connects(
    certificates: tuple[Path, Path], follow: Callable[[set[int]], Targets], tmp_path: Path
) -> None:
    """Not before: most Java programs of a node speak no TLS."""
    if not shutil.which("java"):
        pytest.skip("needs java")
    server = HttpsServer(certificates, (SHOP, 443), keep=True)
    client = start("java", tls.FOLDER / "java" / "Client.java", SHOP)
    try:
        client.say("begin")
        targets = started(follow, client)
        before = told(targets)
        client.say("call")
        said = told(targets)
    finally:
        client.kill()
        server.close()
    assert before is None
    assert said is not None
    assert said.reason is CoverageReason.CANNOT_DECRYPT
    assert said.library.endswith("/libjvm.so")
    assert said.detail.startswith("JSSE")
    assert "netty-tcnative" in said.remedy


# ----------------------------------------------------------------------------------------------------------------- HTTP/3

QUIC = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[1])
from aioquic.asyncio import connect, serve
from aioquic.quic.configuration import QuicConfiguration

async def main():
    ours = QuicConfiguration(is_client=False)
    ours.load_cert_chain(*sys.argv[2:4])
    theirs = QuicConfiguration(is_client=True, verify_mode=0)
    await serve("127.0.0.1", int(sys.argv[4]), configuration=ours)
    async with connect("127.0.0.1", int(sys.argv[4]), configuration=theirs) as connection:
        for line in sys.stdin:
            await connection.ping()
            print("ok", os.getpid(), flush=True)

asyncio.run(main())
"""


def test_http3_is_told(certificates: tuple[Path, Path], follow: Callable[[set[int]], Targets]) -> None:
    """A client and server of aioquic that have just exchanged datagrams; the OpenSSL beside it does not hide it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = start(sys.executable, "-I", "-c", QUIC, AIOQUIC.folder(), *certificates, str(port))
    try:
        client.say("ping")
        said = told(started(follow, client))
    finally:
        client.kill()
    assert said is not None
    assert said.reason is CoverageReason.CANNOT_DECRYPT
    assert "aioquic" in said.detail
    assert "HTTP/3" in said.detail
