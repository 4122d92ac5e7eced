"""Go's crypto/tls, real probes, real TLS: what capture says is what was said, byte by byte, whichever compiler made the program and however."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.model import ConnId, Direction
from tests import golang
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.test_loss import LOSSES
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel

BUILDS: dict[str, Callable[[], Path]] = {
    "this Go": lambda: golang.build("talk"),
    "stripped": lambda: golang.build("talk", golang.STRIPPED),
    "unoptimised": lambda: golang.build("talk", golang.UNOPTIMISED),
    "older, position-independent and stripped": lambda: golang.build(
        "talk", golang.STRIPPED, golang.PIE, toolchain=golang.OLDER
    ),
}


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    if not kernel.cookies:
        pytest.skip("kernels before 5.15 have no cookies: Go is told as unreadable there")
    return kernel


def losses(kernel: Kernel) -> dict[str, int]:
    counters = kernel.counters()
    return {name: counters[name] for name in (*LOSSES, "connection_unreadable", "duplicate_hits", "taken_over_calls")}


@pytest.mark.parametrize("name", BUILDS)
def test_both_directions_byte_by_byte(kernel: Kernel, begin: Callable[[Path], Client], name: str) -> None:
    """Calls of all sizes on two connections that are closed."""
    speak(kernel, begin, BUILDS[name]())


def test_perf_event_links_say_the_same(
    kernel: Kernel, perf_event_kernel: Kernel, begin: Callable[[Path], Client]
) -> None:
    """The way of kernels before 6.6."""
    speak(perf_event_kernel, begin, BUILDS["stripped"]())


def speak(kernel: Kernel, begin: Callable[[Path], Client], program: Path) -> None:
    chosen = tls.sites(str(program))
    assert all(site.emulated for site in chosen.sites), "one trap each"
    tls.converse(kernel, begin(program), str(program), chosen, "call")


@pytest.fixture
def program() -> str:
    return str(golang.build("talk"))


def test_buffers_on_a_stack_that_grows_while_they_are_in_use(
    kernel: Kernel, begin: Callable[[Path], Client], program: str
) -> None:
    """The first call of a goroutine has the handshake inside: its stack is copied elsewhere, with the buffers of Write and Read in it."""
    client = begin(Path(program))
    link = kernel.attach(program, tls.sites(program).sites, pid=client.pid)
    try:
        client.say("open", "stack 2000 3000", "stack 7 1", "close")
        happened = tls.until(kernel, lambda happened: bool(tls.closed(happened, client.pid)))
    finally:
        link.close()
    found = tls.streams(happened, client.pid)
    assert {direction: data for (_, direction), data in found.items()} == {
        Direction.SENT: tls.request(2000, 3000) + tls.request(7, 1),
        Direction.RECEIVED: PATTERN[:3000] + PATTERN[:1],
    }


def test_a_crowd_of_goroutines_that_change_threads_while_memory_is_collected(
    kernel: Kernel, begin: Callable[[Path], Client], program: str
) -> None:
    """29 connections at once, each with 7 calls: every byte of each, in order, and nothing left behind."""
    client = begin(Path(program))
    before = losses(kernel)
    # Of other tests' processes, whose ends nobody has polled for.
    others = kernel.map_sizes()["connections"]
    link = kernel.attach(program, tls.sites(program).sites, pid=client.pid)
    try:
        client.begin("crowd 29 7 500 5000")
        happened = tls.until(kernel, lambda happened: len(tls.closed(happened, client.pid)) == 29)
        client.wait()
    finally:
        link.close()
    found = tls.streams(happened, client.pid)
    sent = [data for (_, direction), data in found.items() if direction is Direction.SENT]
    received = [data for (_, direction), data in found.items() if direction is Direction.RECEIVED]
    assert sent == [tls.request(500, 5000) * 7] * 29
    assert received == [PATTERN[:5000] * 7] * 29
    assert kernel.map_sizes()["connections"] <= others
    assert losses(kernel) == before


def test_a_request_comes_before_its_answer(kernel: Kernel, begin: Callable[[Path], Client], program: str) -> None:
    """Also where another thread reads the answer before the writer's call has returned: what is sent is told before it is sent."""
    client = begin(Path(program))
    link = kernel.attach(program, tls.sites(program).sites, pid=client.pid)
    try:
        client.begin("crowd 13 23 100 100")
        happened = tls.until(kernel, lambda happened: len(tls.closed(happened, client.pid)) == 13)
        client.wait()
    finally:
        link.close()
    turns: dict[ConnId, list[tuple[Direction, int]]] = {}
    for chunk in tls.chunks(happened, client.pid):
        turns.setdefault(chunk.conn, []).append((chunk.direction, len(chunk.data)))
    for conn, told in turns.items():
        assert told == [(Direction.SENT, 116), (Direction.RECEIVED, 50), (Direction.RECEIVED, 50)] * 23, conn


def test_a_pointer_that_comes_again_is_another_connection(
    kernel: Kernel, begin: Callable[[Path], Client], program: str
) -> None:
    """Connections that nobody closes are collected as garbage, and their memory is used again: the next handshake there begins anew."""
    client = begin(Path(program))
    link = kernel.attach(program, tls.sites(program).sites, pid=client.pid)
    try:
        for _ in range(40):
            client.say("open", "call 10 20", "leave")
        client.say("open", "call 10 20", "close")
        happened = tls.until(kernel, lambda happened: bool(tls.closed(happened, client.pid)))
    finally:
        link.close()
    found = tls.streams(happened, client.pid)
    assert Counter(found.values()) == {tls.request(10, 20): 41, PATTERN[:20]: 41}
    pointers = {conn.pointer for conn, _ in found}
    assert len(pointers) < 41, "Go used no memory again, so this proves nothing"


def test_two_links_on_one_program_tell_a_call_once(
    kernel: Kernel, begin: Callable[[Path], Client], program: str
) -> None:
    """One image under two mounts; when the first link goes, the other takes over."""
    client = begin(Path(program))
    sites = tls.sites(program).sites
    first, second = (kernel.attach(program, sites, pid=client.pid) for _ in range(2))
    try:
        client.say("open", "call 10 20")
        first.close()
        client.say("call 30 40", "close")
        happened = tls.until(kernel, lambda happened: bool(tls.closed(happened, client.pid)))
    finally:
        first.close()
        second.close()
    found = tls.streams(happened, client.pid)
    assert {direction: data for (_, direction), data in found.items()} == {
        Direction.SENT: tls.request(10, 20) + tls.request(30, 40),
        Direction.RECEIVED: PATTERN[:20] + PATTERN[:40],
    }
    assert len(found) == 2


def test_a_program_that_checks_its_own_code_lives(
    kernel: Kernel, begin: Callable[[Path], Client], program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In FIPS mode Go compares its cryptography's code with a checksum at its start; no probe of ours is in there."""
    monkeypatch.setenv("GODEBUG", "fips140=on")
    link = kernel.attach(program, tls.sites(program).sites)
    try:
        client = begin(Path(program))
        client.say("open", "call 10 20", "close")
        happened = tls.until(kernel, lambda happened: bool(tls.closed(happened, client.pid)))
    finally:
        link.close()
    assert sorted(tls.streams(happened, client.pid).values()) == sorted([tls.request(10, 20), PATTERN[:20]])
