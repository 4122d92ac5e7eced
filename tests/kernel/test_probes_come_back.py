"""Probes that went and came back while a process went on: what became of its connections nobody saw, so they are others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.capture.kernel import Kernel
from agent.model import Direction, Judgement, Verdict
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("kind", ["python", "c"])
def test_a_new_connection_at_the_pointer_of_one_that_ended_unseen(
    kernel: Kernel, start: Callable[[str], Client], kind: str
) -> None:
    """It has positions of its own from 0 on, is read although the old one was refused, and the old one's end is told before it."""
    if not kernel.cookies:
        pytest.skip("before 5.15 a program can't tell links apart (docs/accuracy.md)")
    client = start(kind)
    client.say(*["open", "call 1 1", "close"] * 5)  # until its allocator gives the same place every time
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    client.say("open", "call 10 20")
    happened = tls.until(kernel, lambda all_: len(tls.streams(all_, client.pid)) == 2)
    (old,) = {chunk.conn for chunk in tls.chunks(happened, client.pid)}
    kernel.judge(Verdict(conn=old, judgement=Judgement.IGNORE, reason="test"))
    client.say("call 10 20")
    link.close()
    for _ in range(5):
        client.say("close", "open", "call 1 1")
    client.say("close", "open")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    try:
        client.say("call 30 40", "call 5 6", "close")
        happened = tls.until(kernel, lambda all_: len(tls.closed(all_, client.pid)) == 2)
    finally:
        link.close()
    conns = {chunk.conn for chunk in tls.chunks(happened, client.pid)}
    assert {conn.pointer for conn in conns} == {old.pointer}, (
        "the pointer was not used again, so this run proves nothing"
    )
    (new,) = conns
    assert new.born_ns > old.born_ns
    assert [end.conn for end in tls.closed(happened, client.pid)] == [old, new]
    assert happened.index(tls.closed(happened, client.pid)[0]) < happened.index(tls.chunks(happened, client.pid)[0])
    assert sorted(tls.streams(happened, client.pid).values(), key=len) == sorted(
        [tls.request(30, 40) + tls.request(5, 6), PATTERN[:40] + PATTERN[:6]], key=len
    )


@pytest.mark.parametrize("kind", ["python", "c"])
def test_a_connection_that_goes_on(kernel: Kernel, start: Callable[[str], Client], kind: str) -> None:
    """It may have said anything meanwhile: joined in the middle, as one from before the agent, and nothing is lost from then on."""
    if not kernel.cookies:
        pytest.skip("before 5.15 a program can't tell links apart (docs/accuracy.md)")
    client = start(kind)
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    client.say("open", "call 10 20")
    link.close()
    client.say("call 1000 1000")
    link = kernel.attach(tls.LIBSSL, tls.best_plan().sites, pid=client.pid)
    try:
        client.say("call 30 40", "close")
        happened = tls.until(kernel, lambda all_: len(tls.closed(all_, client.pid)) == 2)
    finally:
        link.close()
    first, second = (end.conn for end in tls.closed(happened, client.pid))
    found = tls.streams(happened, client.pid)
    assert found[first, Direction.SENT] == tls.request(10, 20)
    assert found[second, Direction.SENT] == tls.request(30, 40)
    assert found[second, Direction.RECEIVED] == PATTERN[:40]
