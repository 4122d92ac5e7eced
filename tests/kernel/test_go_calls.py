"""
net/http against the fake provider: calls of many goroutines at once, as podtab counts and prices them, are what the provider's books say.

By this Go and by an older one, stripped and position-independent, with memory collected all the time and goroutines that change threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from agent.demo import scrape, sdks, watcher
from agent.demo.agreement import OUTCOME, Agreement
from agent.demo.pods import Pod
from agent.demo.run import settle
from agent.demo.sandbox import sandbox
from tests import golang

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

ROUNDS, GOROUTINES = 5, 23
STEPS = ("chat", "stream")


def pod(name: str) -> Pod:
    return Pod(
        namespace="go",
        name=name,
        owner_kind="",
        owner="",
        workload=f"Pod/{name}",
        team="go",
        environment="test",
        script="",
        steps=STEPS,
        run=f"go-{os.getpid()}",
    )


PODS = [pod("current"), pod("older-stripped")]


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[Agreement, scrape.Captured]]:
    programs = [
        golang.build("calls"),
        golang.build("calls", golang.STRIPPED, golang.PIE, toolchain=golang.OLDER),
    ]
    with sandbox() as box:
        agent = watcher.start(box, PODS)
        # A program that nobody has seen gets its probes when it is noticed; the next process of it has them from its first instruction.
        for rounds in (0, ROUNDS):
            running = [
                box.start(
                    [program, str(rounds), str(GOROUTINES), *STEPS],
                    group=one.cgroup,
                    environment=sdks.environment(key=f"sk-demo-{one.key}", authority=box.authority, home=box.folder),
                    inside=True,
                )
                for one, program in zip(PODS, programs, strict=True)
            ]
            assert [process.wait(timeout=60) for process in running] == [0, 0]
        settled = settle(box, PODS, agent)
        assert agent.stop() == 0
        yield settled


@pytest.mark.parametrize("name", [one.name for one in PODS])
def test_every_call_is_in_the_books(played: tuple[Agreement, scrape.Captured], name: str) -> None:
    """Calls, every kind of token and cost, to the last one."""
    [result] = [result for result in played[0].pods if result.pod == name]
    assert result.differences == ()
    assert result.captured[OUTCOME + "ok"] == ROUNDS * GOROUTINES * len(STEPS)


def test_nothing_is_counted_for_anybody_else(played: tuple[Agreement, scrape.Captured]) -> None:
    """Nor twice."""
    assert not [who for who in played[1].elsewhere if "calls" in who]
