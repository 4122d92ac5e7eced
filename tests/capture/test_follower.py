"""Who is there and who comes and goes reaches the targets, whatever happens to the news of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from agent.capture import follower
from agent.capture.follower import Follower
from agent.capture.ring import ProcessEnded, ProcessStarted
from tests.sinks.otlp.collector import until


class Targets:
    """What is heard of processes."""

    def __init__(self, failing: bool = False, hold: threading.Event | None = None) -> None:
        self.heard: list[Any] = []
        self.lost_news = 0
        self._failing = failing
        self._hold = hold

    def started(self, pid: int, at_ns: int) -> None:
        if self._hold is not None:
            self._hold.wait(10)
        if self._failing:
            raise OSError("a bug of ours")
        self.heard.append(("started", pid))

    def ended(self, pid: int) -> None:
        self.heard.append(("ended", pid))

    def reconcile(self, pids: set[int], at_ns: int) -> None:
        self.heard.append(("reconciled", sorted(pids)))

    def rescan(self, at_ns: int) -> None:
        pass

    def status(self) -> list[Any]:
        return []


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A follower of a machine with processes 1 and 2."""
    monkeypatch.setattr(follower, "pids", lambda: {1, 2})
    monkeypatch.setattr(follower, "_MAX_NEWS", 2)
    started: list[Follower] = []

    def start(targets: Targets) -> Follower:
        one = Follower(targets)  # type: ignore[arg-type]
        started.append(one)
        one.start()
        return one

    yield start
    for one in started:
        one.stop()
        one._thread.join(10)
        assert not one._thread.is_alive(), "it stops"


def test_who_is_there_comes_first_then_the_news(follow: Callable[[Targets], Follower]) -> None:
    """In the order in which it happened."""
    targets = Targets()
    one = follow(targets)
    until(lambda: one.scanned)
    one.hear(ProcessStarted(pid=3, at_ns=1))
    one.hear(ProcessEnded(pid=3, at_ns=2))
    until(lambda: len(targets.heard) == 4)
    assert targets.heard == [("started", 1), ("started", 2), ("started", 3), ("ended", 3)]


def test_news_without_room_is_counted_and_made_up_for(follow: Callable[[Targets], Follower]) -> None:
    """A fork bomb delays nobody: hearing never waits, and everything is looked at again."""
    hold = threading.Event()
    targets = Targets(hold=hold)
    one = follow(targets)
    for pid in range(10, 15):
        one.hear(ProcessStarted(pid=pid, at_ns=1))
    assert targets.lost_news == 3
    assert not one.scanned
    hold.set()
    until(lambda: ("reconciled", [1, 2]) in targets.heard)
    assert ("started", 11) in targets.heard
    assert ("started", 12) not in targets.heard


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_follower_that_died_says_so(follow: Callable[[Targets], Follower]) -> None:
    """Before its start it has not."""
    assert not Follower(Targets()).died  # type: ignore[arg-type]
    one = follow(Targets(failing=True))
    until(lambda: one.died)
    assert not one.scanned
