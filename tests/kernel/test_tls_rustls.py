"""rustls, real probes, real TLS: what capture says is what was said, byte by byte, whichever version and however it was compiled."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.plan import Role
from agent.model import Direction, Judgement, Verdict
from tests import rust
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.test_loss import LOSSES
from tests.kernel.tls import Client

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(700)]

BUILDS: dict[str, Callable[[], Path]] = {
    "0.23": lambda: rust.build("rustls", "new"),
    "0.23, small": lambda: rust.build("rustls", "new", "small"),
    "0.21": lambda: rust.build("rustls", "old"),
}


def with_cookies(kernel: Kernel) -> Kernel:
    if platform.machine() != "x86_64":
        pytest.skip("rustls is read on x86-64 only: docs/accuracy.md")
    if not kernel.cookies:
        pytest.skip("kernels before 5.15 have no cookies: rustls is told as unreadable there")
    return kernel


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    return with_cookies(kernel)


def losses(kernel: Kernel) -> dict[str, int]:
    counters = kernel.counters()
    return {name: counters[name] for name in (*LOSSES, "connection_unreadable", "duplicate_hits", "taken_over_calls")}


@pytest.mark.parametrize("how", ["", "tls12", "vectored"])
@pytest.mark.parametrize("name", BUILDS)
def test_every_byte_both_ways(kernel: Kernel, begin: Callable[..., Client], name: str, how: str) -> None:
    """Sizes around the copy classes and past a record; one write, or 64 slices that records cut anywhere."""
    program = BUILDS[name]()
    before = losses(kernel)
    tls.converse(kernel, begin(program, *([how] if how else [])), str(program), tls.sites(str(program)), "call")
    assert losses(kernel) == before


def test_by_perf_events(load: Callable[[KernelSettings], Kernel], begin: Callable[..., Client]) -> None:
    """The other kind of link carries the same layout."""
    kernel = with_cookies(load(KernelSettings(links="perf_event")))
    program = BUILDS["0.23"]()
    tls.converse(kernel, begin(program), str(program), tls.sites(str(program)), "call")


def test_connections_that_nobody_ends_are_never_one(kernel: Kernel, begin: Callable[..., Client]) -> None:
    """On four threads at once, each where the one before was: its cipher counts from 0 again."""
    program, threads, rounds = BUILDS["0.23"](), 4, 25
    before = losses(kernel)
    client = begin(program)
    link = kernel.attach(str(program), tls.sites(str(program)).sites, pid=client.pid)
    try:
        client.say(f"threads {threads} {rounds}")
        moved = sum(16 + thread * 1000 + one + 2000 for thread in range(threads) for one in range(rounds))
        happened = tls.until(kernel, lambda all_: sum(len(one.data) for one in tls.chunks(all_, client.pid)) >= moved)
    finally:
        link.close()
    found = tls.streams(happened, client.pid)
    sent = Counter(data for (_, direction), data in found.items() if direction is Direction.SENT)
    assert sent == Counter(tls.request(thread * 1000 + one, 2000) for thread in range(threads) for one in range(rounds))
    assert {data for (_, direction), data in found.items() if direction is Direction.RECEIVED} == {PATTERN[:2000]}
    assert len({conn for conn, _ in found}) == threads * rounds == len(found) // 2
    assert losses(kernel) == before


def test_two_links_are_one_call(kernel: Kernel, begin: Callable[..., Client]) -> None:
    """One image under two mounts: both links fire, also for a connection's first message."""
    program = BUILDS["0.23"]()
    client, sites = begin(program), tls.sites(str(program)).sites
    links = [kernel.attach(str(program), sites, pid=client.pid) for _ in range(2)]
    try:
        client.say("open", "call 100 40000", "call 20000 5", "drop", "open", "call 7 8", "close")
        happened = tls.until(kernel, lambda all_: len(tls.closed(all_, client.pid)) == 2)
    finally:
        for link in links:
            link.close()
    said = [data for (_, direction), data in tls.streams(happened, client.pid).items() if direction is Direction.SENT]
    assert sorted(said) == sorted([tls.request(100, 40000) + tls.request(20000, 5), tls.request(7, 8)])


def test_other_traffic_is_not_copied(kernel: Kernel, begin: Callable[..., Client]) -> None:
    """From user space's no on, a connection's bytes are only counted: of many slices too."""
    program = BUILDS["0.23"]()
    client = begin(program, "vectored")
    link = kernel.attach(str(program), tls.sites(str(program)).sites, pid=client.pid)
    try:
        client.say("open", "call 10 10")
        [first, *_] = tls.chunks(tls.until(kernel, lambda all_: len(tls.chunks(all_, client.pid)) > 1), client.pid)
        kernel.judge(Verdict(conn=first.conn, judgement=Judgement.IGNORE, reason="not ours"))
        before = kernel.counters()
        client.say("call 30000 20000")
        after = kernel.counters()
    finally:
        link.close()
    assert after["ignored_bytes"] - before["ignored_bytes"] == 16 + 30000 + 20000
    assert after["captured_bytes"] == before["captured_bytes"]


def test_what_is_not_understood_is_not_probed() -> None:
    """A build for debugging does everything through the stack, which is not followed: no site, and the reason is told."""
    chosen = tls.sites(str(rust.build("rustls", "new", "dev")))
    assert not [site for site in chosen.sites if site.role in (Role.RUSTLS_SEND_SLICES, Role.RUSTLS_RECEIVE)]
    [told] = chosen.unreadable
    assert told.stack == "rustls 0.23.46"
    assert told.detail.endswith("is not known")
