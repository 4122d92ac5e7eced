"""From real processes to real links: late libraries, replaced ones, deleted ones, and processes that are not selected."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.capture.targets import RESCAN_AFTER_NS, Targets
from tests.capture.machine import rescan
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel

LATE = """
import socket, sys
for line in sys.stdin:
    word, *numbers = line.split()
    if word == "open":
        import ssl  # only now: the library comes by dlopen, long after the process was looked at
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    elif word == "call":
        sent, received = map(int, numbers)
        pattern = bytes((i * 7 + (i >> 8)) & 255 for i in range(sent))
        connection.sendall(b"%08d%08d" % (sent, received) + pattern)
        while received:
            received -= len(connection.recv(received))
    print("ok", __import__("os").getpid(), flush=True)
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A libssl that only this test uses."""
    return Path(shutil.copy(tls.LIBSSL, tmp_path / "libssl.so.3"))


@pytest.fixture
def private(library: Path, server: tls.Server, c_client: list[str]) -> Iterator[Callable[[], Client]]:
    """Clients that load it."""
    started: list[Client] = []

    def make() -> Client:
        started.append(Client(["env", f"LD_LIBRARY_PATH={library.parent}", *c_client], server.port))
        return started[-1]

    yield make
    for client in started:
        client.kill()


def one_call(kernel: Kernel, client: Client) -> list[bytes]:
    """What was captured of one call of a client, in both directions."""
    client.say("call 300 400")
    happened = tls.until(kernel, lambda all_: len(tls.streams(all_, client.pid)) == 2)
    return sorted(tls.streams(happened, client.pid).values(), key=len)


EXPECTED = sorted([tls.request(300, 400), PATTERN[:400]], key=len)


def test_a_library_that_comes_late_is_found(
    kernel: Kernel, server: tls.Server, follow: Callable[[set[int]], Targets]
) -> None:
    """dlopen has no news of its own: young processes are looked at again."""
    client = Client([tls.PYTHON[0], "-I", "-c", LATE], server.port)
    try:
        targets = follow({client.pid})
        now = time.time_ns()
        targets.started(client.pid, now)
        assert not any("libssl" in library.path for library in targets.status())
        client.say("open")
        rescan(targets, now + RESCAN_AFTER_NS[0])
        assert any("libssl" in library.path and not library.error for library in targets.status())
        assert one_call(kernel, client) == EXPECTED
    finally:
        client.kill()


def test_a_library_that_is_replaced_while_it_runs(
    kernel: Kernel, library: Path, private: Callable[[], Client], follow: Callable[[set[int]], Targets]
) -> None:
    """An upgrade: the old inode is deleted and stays probed, new processes use the new one."""
    old = private()
    old.say("open")
    fresh = library.with_name("new")
    shutil.copy(library, fresh)
    os.replace(fresh, library)
    new = private()
    new.say("open")
    targets = follow({old.pid, new.pid})
    for client in (old, new):
        targets.started(client.pid, time.time_ns())
    assert [status.error for status in targets.status() if "libssl" in status.path] == ["", ""]
    for client in (old, new):
        assert one_call(kernel, client) == EXPECTED


def test_a_library_that_only_unselected_processes_use_carries_no_probe(
    kernel: Kernel, private: Callable[[], Client], follow: Callable[[set[int]], Targets]
) -> None:
    """Nothing is attached, so nothing is captured, and nothing costs anything."""
    client = private()
    client.say("open")
    targets = follow(set())
    targets.started(client.pid, time.time_ns())
    assert targets.status() == []
    client.say("call 300 400")
    assert tls.chunks(kernel.poll(), client.pid) == []
    assert set(targets.unselected_pids) == {client.pid}


def test_the_machines_processes_are_scanned(follow: Callable[[set[int]], Targets]) -> None:
    """All of them, with whatever they are; those that can't be read are counted, not fatal."""
    targets = follow(set())
    for name in os.listdir("/proc"):
        if name.isdigit():
            targets.started(int(name), 0)
    assert targets.processes > 5
