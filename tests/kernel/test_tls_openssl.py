"""OpenSSL, real probes, real TLS: what capture says is what was said, byte by byte."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.capture.plan import Count, Plan
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel

# Below, at and above every record class, and more than one TLS record.
SIZES = (1, 240, 241, 1008, 1009, 4080, 4081, 16368, 16369, 40_000)
CALLS = [(size, answer) for size, answer in zip(SIZES, reversed(SIZES), strict=True)]
CLIENTS = ["python", "c"]


def first() -> Plan:
    with open(tls.LIBSSL, "rb") as file:
        return plan(tls.ElfFile(file), Abilities(uretprobe_safe=True, first_instructions=True))


PLANS: dict[str, Callable[[], Plan]] = {
    "best": tls.best_plan,
    "ret": lambda: tls.best_plan(uretprobe_safe=False),
    "first": first,
    "no_cookies": lambda: tls.best_plan(cookies=False),
}


@pytest.mark.parametrize("sites", PLANS)
@pytest.mark.parametrize("kind", CLIENTS)
def test_every_byte_both_ways(kernel: Kernel, start: Callable[[str], Client], kind: str, sites: str) -> None:
    """Both families of functions, all kinds of sites: bytes equal, positions without holes, each connection ends once."""
    plan = PLANS[sites]()
    if sites == "ret" and platform.machine() != "x86_64":
        pytest.skip("where return probes are never unsafe nobody looks for RET instructions")
    if not kernel.cookies and any(site.count is Count.STACK for site in plan.sites):
        pytest.skip("kernels before 5.15 have no cookies, so nobody attaches at these sites there")
    tls.converse(kernel, start(kind), tls.LIBSSL, plan, "call", CALLS)


@pytest.mark.parametrize("kind", CLIENTS)
def test_perf_event_links_say_the_same(perf_event_kernel: Kernel, start: Callable[[str], Client], kind: str) -> None:
    """The way of kernels before 6.6."""
    chosen = tls.best_plan(cookies=perf_event_kernel.cookies)
    tls.converse(perf_event_kernel, start(kind), tls.LIBSSL, chosen, "call", CALLS)


@pytest.mark.parametrize("kind", CLIENTS)
def test_without_cookies(old_kernel: Kernel, start: Callable[[str], Client], kind: str) -> None:
    """The way of kernels before 5.15."""
    tls.converse(old_kernel, start(kind), tls.LIBSSL, tls.best_plan(cookies=False), "call", CALLS)


# Debian 13's OpenSSL for arm64, in the machines of tests/qemu alone.
SIGNED = Path("/opt/trixie/usr/lib/aarch64-linux-gnu")

if SIGNED.exists():

    def test_functions_that_sign_their_return_address(kernel: Kernel, server: tls.Server, c_client: list[str]) -> None:
        """Their first instruction is ``paciasp``, and their return address, where a return probe puts the kernel's, is checked."""
        library = SIGNED / "libssl.so.3"
        with open(library, "rb") as file:
            elf = tls.ElfFile(file)
            begins = {name: function.code[:4] for name, function in elf.functions(("SSL_read", "SSL_write")).items()}
        assert set(begins.values()) == {bytes.fromhex("3f2303d5")}
        assert "paca" in Path("/proc/cpuinfo").read_text(), "a processor that does not check proves nothing"
        client = Client([str(SIGNED / "ld-linux-aarch64.so.1"), "--library-path", str(SIGNED), *c_client], server.port)
        try:
            tls.converse(kernel, client, str(library), tls.sites(str(library)), "call")
        finally:
            client.kill()


def test_a_connection_older_than_the_agent(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """Joined in mid-stream: from the next call on everything is there, positions count from there."""
    client = start("python")
    client.say("open", "call 100 200")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    try:
        client.say("call 300 400")
        happened = tls.until(kernel, lambda happened: len(tls.streams(happened, client.pid)) == 2)
    finally:
        link.close()
    assert list(tls.streams(happened, client.pid).values()) == [tls.request(300, 400), PATTERN[:200] + PATTERN[200:400]]


def test_a_call_that_began_before_the_probes(
    kernel: Kernel, start: Callable[[str], Client], server: tls.Server
) -> None:
    """Attached while a read waits: that read's return finds no entry and nothing is invented."""
    client = start("c")
    client.say("open")
    server.hold.clear()
    client.begin("call 10 2000")
    tls.until(kernel, lambda _: False, seconds=0.3)
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    try:
        server.hold.set()
        client.wait()
        client.say("call 20 30")
        happened = tls.until(kernel, lambda happened: len(tls.streams(happened, client.pid)) == 2)
    finally:
        link.close()
    assert min(tls.streams(happened, client.pid).values(), key=len) in (PATTERN[:30], tls.request(20, 30))
    assert tls.request(20, 30) in tls.streams(happened, client.pid).values()


def test_late_starters_are_seen_from_their_first_byte(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """An inode-wide link covers processes that start after it."""
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites)
    try:
        client = start("c")
        client.say("open", "call 7 9", "close")
        happened = tls.until(kernel, lambda happened: bool(tls.closed(happened, client.pid)))
    finally:
        link.close()
    assert list(tls.streams(happened, client.pid).values()) == [tls.request(7, 9), PATTERN[:9]]
