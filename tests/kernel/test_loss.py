"""What capture can't keep, it counts, to the byte."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest

from agent.capture.kernel import Kernel, KernelSettings
from agent.model import Direction, Judgement, Verdict
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel

LOSSES = ("ring_lost_bytes", "uncopied_bytes", "unreadable_bytes")


def holes(happened: list[tls.Happening], pid: int, direction: Direction) -> tuple[int, int]:
    """Bytes captured, and bytes missing before or after them, of one direction of the only connection."""
    captured = missing = expected = 0
    for chunk in tls.chunks(happened, pid):
        if chunk.direction is direction:
            missing += chunk.position - expected + chunk.lost
            captured += len(chunk.data)
            expected = chunk.position + len(chunk.data) + chunk.lost
    return captured, missing


def verdicts(kernel: Kernel, pid: int) -> int:
    """Of one process: others, this one as a server among them, may have connections of their own."""
    return sum(key.tgid == pid for key in kernel._maps.keys("verdicts"))


@pytest.mark.parametrize("kind", ["python", "c"])
def test_a_burst_into_a_tiny_ring(
    load: Callable[[KernelSettings], Kernel], start: Callable[[str], Client], kind: str
) -> None:
    """Nobody drains: captured + counted as lost = sent, and what the ring kept is right where it says."""
    kernel = load(KernelSettings(ring_bytes=16 * 4096))
    client = start(kind)
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    try:
        client.say("open", *["call 3000 5000"] * 30)
        burst = kernel.poll()
        client.say("call 100 100")  # behind the hole, so that its size shows
        after = tls.until(kernel, lambda happened: len(tls.chunks(happened, client.pid)) >= 2)
    finally:
        link.close()
    counters = kernel.counters()
    said = tls.request(3000, 5000) * 30 + tls.request(100, 100)
    heard = PATTERN[:5000] * 30 + PATTERN[:100]
    assert counters["records_dropped"] > 0
    assert counters["captured_bytes"] + sum(counters[name] for name in LOSSES) == len(said) + len(heard), counters
    for direction, whole in ((Direction.SENT, said), (Direction.RECEIVED, heard)):
        captured, missing = holes(burst + after, client.pid, direction)
        assert captured + missing == len(whole)
        for chunk in tls.chunks(burst + after, client.pid):
            if chunk.direction is direction:
                assert whole[chunk.position :].startswith(chunk.data)


def test_a_call_larger_than_what_is_copied(
    load: Callable[[KernelSettings], Kernel], start: Callable[[str], Client]
) -> None:
    """A write of 900 KB with 64 KB copied: the rest is counted, and said beside the bytes."""
    kernel = load(KernelSettings(ring_bytes=1 << 20, max_call_bytes=64 * 1024))
    client = start("c")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    try:
        client.say("open", "call 900000 10")
        happened = tls.until(kernel, lambda happened: len(tls.chunks(happened, client.pid)) >= 5)
    finally:
        link.close()
    sent = [chunk for chunk in tls.chunks(happened, client.pid) if chunk.direction is Direction.SENT]
    assert b"".join(chunk.data for chunk in sent) == tls.request(900_000, 10)[: 64 * 1024]
    assert sum(chunk.lost for chunk in sent) == 900_016 - 64 * 1024 == kernel.counters()["uncopied_bytes"]


def test_a_large_call_is_whole(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """250 KB in one write come as many records and one stream."""
    client = start("c")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    try:
        client.say("open", "call 250000 10")
        happened = tls.until(kernel, lambda happened: len(tls.streams(happened, client.pid)) == 2)
    finally:
        link.close()
    assert next(iter(tls.streams(happened, client.pid).values())) == tls.request(250_000, 10)


@pytest.mark.parametrize("judgement", Judgement)
def test_after_the_verdict(kernel: Kernel, start: Callable[[str], Client], judgement: Judgement) -> None:
    """IGNORE: nothing is copied any more and all is counted, only for that connection; WATCH: nothing changes."""
    client = start("python")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    try:
        client.say("open", "call 50 60")
        happened = tls.until(kernel, lambda happened: len(tls.streams(happened, client.pid)) == 2)
        ((conn, _), *_) = tls.streams(happened, client.pid)
        before = kernel.counters()
        kernel.judge(Verdict(conn=conn, judgement=judgement, reason="unknown_api"))
        client.say("call 1000 2000", "call 3000 4000", "close", "open", "call 70 80", "close")
        happened = tls.until(kernel, lambda happened: len(tls.closed(happened, client.pid)) == 2)
    finally:
        link.close()
    ignored = kernel.counters()["ignored_bytes"] - before["ignored_bytes"]
    seen = sum(len(chunk.data) for chunk in tls.chunks(happened, client.pid) if chunk.conn == conn)
    assert (ignored, seen) == ((10_032, 0) if judgement is Judgement.IGNORE else (0, 10_032))
    others = [chunk for chunk in tls.chunks(happened, client.pid) if chunk.conn != conn]
    assert b"".join(chunk.data for chunk in others) == tls.request(70, 80) + PATTERN[:80]
    assert verdicts(kernel, client.pid) == 0


def test_a_late_verdict_misses_the_next_owner(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """A verdict that comes after the connection's end leaves nothing behind, and the next one at that address is captured."""
    client = start("c")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    pointers = []
    try:
        for _ in range(6):
            client.say("open", "call 5 5", "close")
            happened = tls.until(kernel, lambda happened: bool(tls.closed(happened, client.pid)))
            (end,) = tls.closed(happened, client.pid)
            assert list(tls.streams(happened, client.pid).values()) == [tls.request(5, 5), PATTERN[:5]]
            kernel.judge(Verdict(conn=end.conn, judgement=Judgement.IGNORE, reason="not_http"))
            pointers.append(end.conn.pointer)
    finally:
        link.close()
    assert len(set(pointers)) < len(pointers), "no address came twice, so this run proves nothing"
    assert verdicts(kernel, client.pid) == 0


def test_a_connection_that_ends_while_it_is_judged(
    kernel: Kernel, start: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the verdict: nothing stays behind that nobody would come for."""
    client = start("c")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    update = kernel._maps.update

    def late(table: str, *words: ctypes.Structure) -> bool:
        client.say("close")
        return update(table, *words)

    try:
        client.say("open", "call 5 5")
        happened = tls.until(kernel, lambda happened: len(tls.streams(happened, client.pid)) == 2)
        monkeypatch.setattr(kernel._maps, "update", late)
        kernel.judge(Verdict(conn=tls.chunks(happened, client.pid)[0].conn, judgement=Judgement.WATCH, reason="known"))
        monkeypatch.undo()
    finally:
        link.close()
    assert tls.closed(kernel.poll(), client.pid)
    assert verdicts(kernel, client.pid) == 0


def test_unselected_cgroups_are_dropped(kernel: Kernel, start: Callable[[str], Client]) -> None:
    """Before any copy, counted, and taken back at once."""
    client = start("python")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    try:
        client.say("open", "call 1 1")
        happened = tls.until(kernel, lambda happened: len(tls.streams(happened, client.pid)) == 2)
        cgroup = tls.chunks(happened, client.pid)[0].cgroup_id
        kernel.select(cgroup, False)
        before = kernel.counters()["unselected_bytes"]
        client.say("call 500 600")
        dropped = kernel.counters()["unselected_bytes"] - before
        quiet = tls.chunks(kernel.poll(), client.pid)
        kernel.select(cgroup, True)
        client.say("call 2 2")
        happened = tls.until(kernel, lambda happened: len(tls.chunks(happened, client.pid)) >= 2)
    finally:
        kernel.select(cgroup, True)
        link.close()
    assert (dropped, quiet) == (1116, [])
    assert b"".join(chunk.data for chunk in tls.chunks(happened, client.pid)) == tls.request(2, 2) + PATTERN[:2]
