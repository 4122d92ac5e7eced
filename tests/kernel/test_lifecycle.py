"""Births, deaths, forks, restarts: nobody is harmed, nothing is mixed up, nothing is left behind."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.ring import ProcessEnded, ProcessStarted
from agent.model import Direction
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel

EMPTY = {"threads": 0, "connections": 0, "verdicts": 0, "descriptors": 0, "holders": 0, "unselected": 0, "links": 0}
ROUNDS = 100


def ended(happened: list[tls.Happening], pid: int) -> bool:
    return any(isinstance(event, ProcessEnded) and event.pid == pid for event in happened)


def test_killed_in_mid_call(
    load: Callable[[KernelSettings], Kernel], start: Callable[[str], Client], server: tls.Server
) -> None:
    """A thread that never returns: its connection ends with the process, and no map remembers either."""
    kernel = load(KernelSettings(ring_bytes=1 << 20))
    client = start("c")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    try:
        client.say("open", "call 5 10")
        server.hold.clear()
        client.begin("call 100 1000")
        begun = tls.until(kernel, lambda happened: len(tls.chunks(happened, client.pid)) >= 4)
        assert kernel.map_sizes()["threads"] == 1
        client.kill()
        happened = begun + tls.until(kernel, lambda happened: ended(happened, client.pid))
    finally:
        link.close()
    (end,) = tls.closed(happened, client.pid)
    assert {end.conn} == {chunk.conn for chunk in tls.chunks(happened, client.pid)}
    assert kernel.map_sizes() == EMPTY


def test_a_process_is_born_and_dies(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """Every program start and end is told once, in order, without any probe."""
    client = start("c")
    client.end()
    happened = tls.until(kernel, lambda happened: ended(happened, client.pid))
    mine = [event for event in happened if isinstance(event, ProcessStarted | ProcessEnded) and event.pid == client.pid]
    assert [type(event) for event in mine] == [ProcessStarted, ProcessEnded]


def test_a_process_that_speaks_at_once(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """Its birth and its first call are drained together: the connection is not ended by the news of the birth."""
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites)
    try:
        client = start("c")
        client.say("open", "call 10 20")
        happened = kernel.poll()
        client.say("call 30 40", "close")
        happened += tls.until(kernel, lambda happened: bool(tls.closed(happened, client.pid)))
    finally:
        link.close()
    assert any(isinstance(event, ProcessStarted) and event.pid == client.pid for event in happened)
    assert list(tls.streams(happened, client.pid).values()) == [
        tls.request(10, 20) + tls.request(30, 40),
        PATTERN[:20] + PATTERN[:40],
    ]
    assert len(tls.closed(happened, client.pid)) == 1


def test_a_new_program_has_new_connections(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """exec ends the old program's connections, also those that it never closed."""
    client = start("python")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites)
    try:
        client.say("open", "call 10 20", "exec", "open", "call 30 40")
        happened = tls.until(kernel, lambda happened: len(tls.streams(happened, client.pid)) == 4)
    finally:
        link.close()
    (end,) = tls.closed(happened, client.pid)
    found = tls.streams(happened, client.pid)
    assert [data for (conn, _), data in found.items() if conn == end.conn] == [tls.request(10, 20), PATTERN[:20]]
    assert [data for (conn, _), data in found.items() if conn != end.conn] == [tls.request(30, 40), PATTERN[:40]]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="its system call number is x86-64's")
def test_the_first_thread_ends_before_the_others(kernel: Kernel) -> None:
    """The process lives on, and its end is told when it is gone."""
    program = (
        "import ctypes, sys, threading\n"
        "threading.Thread(target=lambda: (sys.stdin.readline(), sys.stdin.readline())).start()\n"
        "print('running', flush=True)\n"
        "ctypes.CDLL(None).syscall(60, 0)\n"  # exit(2): of this thread alone
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        early = tls.until(kernel, lambda happened: ended(happened, process.pid), seconds=0.5)
        assert not ended(early, process.pid)
        assert os.path.exists(f"/proc/{process.pid}/task")
        process.kill()
        process.wait()
    assert ended(tls.until(kernel, lambda happened: ended(happened, process.pid)), process.pid)


def test_a_connection_of_a_process_whose_first_thread_has_ended(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """Made after that, and ended with the process: its end is told, and no map remembers it."""
    client = start("python")
    # For every process: before 6.6 a probe of one process is one of its first thread, and goes with it.
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites)
    try:
        client.say("open", "call 10 20")
        client.begin("thread")
        happened = tls.until(kernel, lambda _: first_thread_ended(client.pid))
        happened += kernel.poll()
        assert not ended(happened, client.pid)
        client.say("open", "call 30 40")
        client.kill()
        happened += tls.until(kernel, lambda happened: ended(happened, client.pid))
    finally:
        link.close()
    assert {end.conn for end in tls.closed(happened, client.pid)} == {
        chunk.conn for chunk in tls.chunks(happened, client.pid)
    }
    assert len(tls.closed(happened, client.pid)) == 2


def first_thread_ended(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("kind", ["python", "c"])
def test_forked_workers(kernel: Kernel, start: Callable[[str], Client], kind: str) -> None:
    """A child goes on with its parent's connection object: that is another connection, with bytes of its own."""
    client = start(kind)
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites)
    try:
        client.say("open", "call 10 20")
        child = client.say("fork")
        client.say("call 30 40", "close")
        happened = tls.until(kernel, lambda happened: bool(tls.closed(happened, child)))
        client.end()
        happened += tls.until(kernel, lambda happened: ended(happened, client.pid))
    finally:
        link.close()
    assert child != client.pid
    assert list(tls.streams(happened, client.pid).values()) == [tls.request(10, 20), PATTERN[:20]]
    assert list(tls.streams(happened, child).values()) == [tls.request(30, 40), PATTERN[:40]]
    assert len(tls.closed(happened, client.pid)) == 1


def test_hundreds_of_connections_leave_nothing(
    load: Callable[[KernelSettings], Kernel], start: Callable[[str], Client]
) -> None:
    """After their ends all maps are empty, and so is what the reader keeps; the ring has gone round several times."""
    kernel = load(KernelSettings(ring_bytes=1 << 16))
    client = start("c")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    happened: list[tls.Happening] = []
    try:
        for _ in range(30):
            for _ in range(10):
                client.say("open", "call 50 50", "close")
            happened += kernel.poll()
        client.end()
        happened += tls.until(kernel, lambda happened: ended(happened, client.pid))
    finally:
        link.close()
    assert len(tls.closed(happened, client.pid)) == 300
    assert len({end.conn for end in tls.closed(happened, client.pid)}) == 300
    assert kernel.map_sizes() == EMPTY
    assert kernel.ring.connections == 0


def test_attach_and_detach(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """A hundred rounds under traced processes that go on working: all of them are alive and unharmed at the end."""
    clients = [start("python"), start("c")]
    sites = tls.best_plan().sites
    for client in clients:
        client.say("open")
    for _ in range(ROUNDS):
        for client in clients:
            client.begin("call 2000 3000")
        link = kernel.attach(tls.LIBSSL, sites)
        for client in clients:
            client.wait()
            client.begin("call 10 10")
        link.close()
        for client in clients:
            client.wait()
        kernel.poll()
    assert [client.end() for client in clients] == [0, 0]


def test_a_seccomp_confined_process(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """An allow-list that knows nothing of probes: captured, and alive at the end."""
    client = start("c")
    link = kernel.attach(tls.LIBSSL, tls.best_plan(uretprobe_safe=True).sites, pid=client.pid)
    try:
        client.say("open", "confine", "call 100 200", "close")
        happened = tls.until(kernel, lambda happened: bool(tls.closed(happened, client.pid)))
    finally:
        link.close()
    assert list(tls.streams(happened, client.pid).values()) == [tls.request(100, 200), PATTERN[:200]]
    assert client.end() == 0


def test_agent_restarted_in_mid_stream(
    load: Callable[[KernelSettings], Kernel], start: Callable[[str], Client], server: tls.Server
) -> None:
    """The first one sees what came until its end, the second what came from its start; the client notices neither."""
    client = start("python")
    sites = tls.best_plan().sites
    first = load(KernelSettings(ring_bytes=1 << 20))
    link = first.attach(tls.LIBSSL, sites, pid=client.pid)
    client.say("open")
    server.hold.clear()
    client.begin("call 100 8000")
    before = tls.until(first, lambda happened: len(tls.streams(happened, client.pid)) == 2)
    link.close()
    second = load(KernelSettings(ring_bytes=1 << 20))
    link = second.attach(tls.LIBSSL, sites, pid=client.pid)
    try:
        server.hold.set()
        client.wait()
        client.say("call 1 1")
        after = tls.until(second, lambda happened: len(tls.streams(happened, client.pid)) == 2)
    finally:
        link.close()
    found = {direction: data for (_, direction), data in tls.streams(before, client.pid).items()}
    later = {direction: data for (_, direction), data in tls.streams(after, client.pid).items()}
    assert found == {Direction.SENT: tls.request(100, 8000), Direction.RECEIVED: PATTERN[:4000]}
    assert later[Direction.SENT] == tls.request(1, 1)
    # The read that was waiting when the second one came has no entry there, so its bytes are not invented.
    assert later[Direction.RECEIVED] in (PATTERN[:1], PATTERN[4000:8000] + PATTERN[:1])
