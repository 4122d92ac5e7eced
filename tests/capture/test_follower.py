"""What is told becomes looks: at once where a file was never met, soon where it was, and everything anew where something was lost."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from agent.capture import follower as module
from agent.capture.follower import Follower, Look
from agent.capture.mappings import File, Mapping, Mappings, MappingsError
from agent.capture.ring import ProcessEnded, ProcessStarted
from agent.capture.targets import LibraryStatus
from tests.sinks.otlp.collector import until

DEAR = range(100, 150)
LIBSSL, LIBC = File(8, 1, 100, 0), File(8, 1, 101, 0)


@dataclass
class FakeTargets:
    """Writes down what it is asked."""

    lost_news: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)
    answer: Look = Look.DONE
    known: bool = False
    since_ns: int = 0
    due: list[int] = field(default_factory=list)
    seconds: dict[int, float] = field(default_factory=dict)
    """Of a processor, that a look at a process takes."""

    def ended(self, pid: int) -> None:
        self.asked.append(("ended", pid))

    def look(self, pid: int, at_ns: int, since_ns: int = 0) -> Look:
        self.asked.append(("look", pid))
        self.since_ns = since_ns
        until = time.thread_time() + self.seconds.get(pid, -1)
        while time.thread_time() < until:
            pass
        return self.answer

    def look_soon(self, pid: int, at_ns: int) -> None:
        self.asked.append(("look_soon", pid))

    def look_at_all(self, at_ns: int) -> None:
        self.asked.append(("look_at_all", 0))

    def knows(self, pid: int, since_ns: int) -> bool:
        return self.known

    def rescan(self, at_ns: int) -> list[int]:
        due, self.due = self.due, []
        return due

    def status(self) -> list[LibraryStatus]:
        return []

    def reconcile(self, alive: Iterable[int]) -> list[int]:
        self.asked.append(("reconcile", len(list(alive))))
        return []

    def since(self) -> list[tuple[str, int]]:
        asked, self.asked = self.asked, []
        return asked


@dataclass
class FakeMappings:
    """The kernel's word."""

    waiting: list[Mapping] = field(default_factory=list)
    lost: int = 0
    broken: bool = False
    closed: bool = False

    def drain(self) -> list[Mapping]:
        told, self.waiting = self.waiting, []
        return told

    def wait(self, seconds: float) -> bool:
        time.sleep(0 if self.waiting else min(seconds, 0.001))
        return bool(self.waiting)

    def close(self) -> None:
        self.closed = True

    def meet_cpus(self) -> None:
        if self.broken:
            raise MappingsError("no")


def pair(targets: FakeTargets, mappings: FakeMappings | None, alive: Sequence[int] = (1, 2, 3)) -> Follower:
    return Follower(
        targets,
        cast("Mappings | None", mappings),
        alive=lambda: alive,
        whose=lambda pid: "dear" if pid in DEAR else "other",
    )


def test_a_file_that_was_never_met_is_looked_at_at_once() -> None:
    """Once for all files that a process maps in one breath; after that only the users of a file are of interest."""
    targets = FakeTargets(known=True)
    mappings = FakeMappings([Mapping(5, LIBSSL), Mapping(5, LIBC), Mapping(6, LIBC)])
    follower = pair(targets, mappings)
    follower.turn()
    assert targets.since() == [("look", 5), ("look", 6)]
    mappings.waiting = [Mapping(7, LIBSSL), Mapping(7, LIBC)]
    follower.turn()
    assert targets.since() == [("look_soon", 7), ("look_soon", 7)]
    mappings.waiting = [Mapping(8, File(8, 1, 102, 0)), Mapping(8, LIBC)]
    follower.turn()
    assert targets.since() == [("look", 8)]
    targets.known = False
    mappings.waiting = [Mapping(9, LIBC)]
    follower.turn()
    assert targets.since() == [("look", 9)]


def test_who_was_looked_at_a_moment_ago_is_asked_for_again() -> None:
    """Until it is done; what is not selected does not make its files known."""
    targets, mappings = FakeTargets(answer=Look.LATER), FakeMappings([Mapping(5, LIBSSL)])
    follower = pair(targets, mappings)
    follower.turn()
    follower.turn()
    targets.answer = Look.NOTHING
    follower.turn()
    follower.turn()
    assert targets.since() == [("look", 5)] * 3
    mappings.waiting = [Mapping(6, LIBSSL)]
    follower.turn()
    assert targets.since() == [("look", 6)]


def test_who_has_ended_is_not_waited_for() -> None:
    """Its pid may be another's soon."""
    targets, mappings = FakeTargets(answer=Look.LATER), FakeMappings([Mapping(5, LIBSSL)])
    follower = pair(targets, mappings)
    follower.turn()
    follower.hear(ProcessEnded(pid=5, at_ns=1))
    follower.turn()
    targets.since()
    follower.turn()
    assert targets.since() == []


def test_a_start_is_news_where_no_mapping_told_of_it() -> None:
    """Exec maps; a program that was read after it began need not be read again."""
    targets = FakeTargets()
    follower = pair(targets, None)
    follower.hear(ProcessStarted(pid=5, at_ns=1))
    follower.turn()
    targets.known = True
    follower.hear(ProcessStarted(pid=6, at_ns=1))
    follower.turn()
    assert targets.since() == [("look", 5)]
    assert targets.since_ns == 1


def test_what_is_lost_is_counted_and_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody is looked at again, but no more often than every few seconds: a tenant can make us lose."""
    targets, mappings = FakeTargets(), FakeMappings(lost=3)
    follower = pair(targets, mappings)
    follower.turn()
    assert targets.since() == [("reconcile", 3), ("look_at_all", 0)]
    mappings.lost = 5
    follower.turn()
    assert targets.since() == []
    assert targets.lost_news == 5
    monkeypatch.setattr(module, "_MAKE_UP_SECONDS", 0)
    follower.turn()
    assert targets.since() == [("reconcile", 3), ("look_at_all", 0)]


def test_queues_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds no room is a counted loss."""
    monkeypatch.setattr(module, "_MAX_WAITING", 2)
    monkeypatch.setattr(module, "_MAX_NEWS", 2)
    targets = FakeTargets(answer=Look.LATER)
    mappings = FakeMappings([Mapping(pid, File(8, 1, pid, 0)) for pid in range(5)])
    follower = pair(targets, mappings)
    for pid in range(5):
        follower.hear(ProcessStarted(pid=pid, at_ns=1))
    follower.turn()
    assert targets.lost_news == 6
    assert [one for one in targets.since() if one[0] == "look"] == [("look", 0), ("look", 1)]


def test_files_that_were_met_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes files without end fills nothing."""
    monkeypatch.setattr(module, "_MAX_MET", 4)
    targets, mappings = FakeTargets(), FakeMappings()
    follower = pair(targets, mappings)
    for inode in range(100):
        mappings.waiting = [Mapping(5, File(8, 1, inode, 0))]
        follower.turn()
    mappings.waiting = [Mapping(5, File(8, 1, 1, 0))]
    targets.since()
    follower.turn()
    assert targets.since() == [("look", 5)]


def test_a_cpu_that_can_not_be_heard_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """It came while we ran."""
    monkeypatch.setattr(module, "_RECONCILE_SECONDS", -1.0)
    targets = FakeTargets()
    pair(targets, FakeMappings(broken=True)).turn()
    assert targets.lost_news == 1


@pytest.mark.parametrize("heard", [True, False])
def test_it_follows_until_it_is_told_to_stop(heard: bool) -> None:
    """With and without the kernel's word of mappings."""
    targets, mappings = FakeTargets(), FakeMappings([Mapping(5, LIBSSL)])
    follower = pair(targets, mappings if heard else None)
    assert not follower.scanned
    follower.hear(ProcessStarted(pid=9, at_ns=1))
    follower.start()
    until(lambda: ("look", 9) in targets.asked)
    assert follower.scanned
    follower.stop()
    assert mappings.closed is heard
    assert {pid for asked, pid in targets.asked if asked == "look"} >= {1, 2, 3, 9}
    assert (("look", 5) in targets.asked) is heard


def test_all_looks_together_have_a_share_of_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes every look dear delays looks, and does not take the machine."""
    monkeypatch.setattr(module, "_MAX_CREDIT_SECONDS", 0.0)
    monkeypatch.setattr(module, "_SHARE", 0.25)
    monkeypatch.setattr("agent.capture.fairness.LIGHT_SECONDS", 0.0)
    targets, mappings = FakeTargets(answer=Look.LATER), FakeMappings([Mapping(5, LIBSSL)])
    used: list[float] = []

    def dear(pid: int, at_ns: int, since_ns: int = 0) -> Look:
        before = time.thread_time()
        while time.thread_time() < before + 0.02:
            pass
        used.append(time.thread_time() - before)
        return Look.LATER

    monkeypatch.setattr(targets, "look", dear)
    follower = pair(targets, mappings, alive=())
    began = time.monotonic()
    follower.start()
    until(lambda: len(used) >= 8)
    passed = time.monotonic() - began
    follower.stop()
    assert sum(used[:7]) < 0.4 * passed


def test_a_debt_is_paid_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one dear look the rest is long; the looks after it, which cost nothing, wait no more."""
    monkeypatch.setattr(module, "_MAX_CREDIT_SECONDS", 0.0)
    monkeypatch.setattr(module, "_SHARE", 0.25)
    monkeypatch.setattr("agent.capture.fairness.LIGHT_SECONDS", 0.0)
    targets, mappings = FakeTargets(), FakeMappings([Mapping(5, LIBSSL)])
    began: list[float] = []

    def look(pid: int, at_ns: int, since_ns: int = 0) -> Look:
        began.append(time.monotonic())
        before = time.thread_time()
        while len(began) == 1 and time.thread_time() < before + 0.05:
            pass
        return Look.LATER

    monkeypatch.setattr(targets, "look", look)
    follower = pair(targets, mappings, alive=())
    follower.start()
    until(lambda: len(began) >= 8)
    follower.stop()
    first, *others = (after - before for before, after in itertools.pairwise(began[:8]))
    assert sorted(others)[len(others) // 2] < first / 4


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_follower_that_died_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its start it has not."""

    def broken(pid: int, at_ns: int, since_ns: int = 0) -> Look:
        raise OSError("a bug of ours")

    targets = FakeTargets()
    monkeypatch.setattr(targets, "look", broken)
    follower = pair(targets, None)
    assert not follower.died
    follower.start()
    until(lambda: follower.died)
    assert not follower.scanned


def test_one_pods_dear_files_keep_no_others_waiting() -> None:
    """Fifty processes came before; the other pod's first one waits for the one that is being looked at."""
    targets = FakeTargets(seconds=dict.fromkeys(DEAR, 0.06))
    mappings = FakeMappings([Mapping(pid, File(8, 2, pid, 0)) for pid in DEAR])
    follower = pair(targets, mappings)
    follower.turn()
    assert targets.since() == [("look", 100)]
    mappings.waiting = [Mapping(5, LIBSSL)]
    follower.turn()
    assert targets.since()[0] == ("look", 5)


def test_nor_do_those_who_were_there_before_us() -> None:
    """They are looked at in the same order, and whoever comes meanwhile is among them."""
    targets, mappings = FakeTargets(seconds=dict.fromkeys(DEAR, 0.06)), FakeMappings()
    follower = pair(targets, mappings, alive=[*DEAR, 200])
    mappings.waiting = [Mapping(6, LIBSSL)]
    follower.scan()
    asked = targets.since()
    assert asked[:3] == [("look", 100), ("look", 200), ("look", 6)]
    assert len(asked) == len(DEAR) + 2


def test_a_debt_is_of_those_for_whom_much_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are looked at before it is paid, as often as it takes."""
    monkeypatch.setattr(module, "_MAX_CREDIT_SECONDS", 0.0)
    monkeypatch.setattr(module, "_SHARE", 0.1)
    monkeypatch.setattr("agent.capture.fairness.LIGHT_SECONDS", 0.1)
    targets, mappings = FakeTargets(answer=Look.LATER), FakeMappings([Mapping(100, LIBC)])
    began: dict[int, list[float]] = {}
    ended: list[float] = []

    def look(pid: int, at_ns: int, since_ns: int = 0) -> Look:
        began.setdefault(pid, []).append(time.monotonic())
        before = time.thread_time()
        while pid == 100 and time.thread_time() < before + 0.15:
            pass
        ended.append(time.monotonic())
        mappings.waiting = [Mapping(5, LIBSSL)] if 5 not in began else []
        return Look.LATER if pid == 100 or len(began[5]) < 30 else Look.DONE

    monkeypatch.setattr(targets, "look", look)
    follower = pair(targets, mappings, alive=())
    follower.start()
    until(lambda: len(began.get(100, [])) >= 2)
    follower.stop()
    assert len(began[5]) == 30
    assert began[5][-1] - ended[0] < (began[100][1] - ended[0]) / 2


def test_who_is_due_waits_for_a_look_as_all_do() -> None:
    """In fair order."""
    targets, mappings = FakeTargets(due=[*DEAR, 5]), FakeMappings()
    targets.seconds = dict.fromkeys(DEAR, 0.06)
    follower = pair(targets, mappings)
    follower.turn()
    follower.turn()
    assert targets.since()[:2] == [("look", 100), ("look", 5)]
