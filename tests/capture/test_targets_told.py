"""Targets whose caller says of every mapping: looks when there is something to see, and no look without."""

from __future__ import annotations

import time

import pytest

from agent.capture.coverage import Library
from agent.capture.follower import Look
from agent.capture.judge import Judged
from agent.capture.processes import Mapped
from agent.capture.selection import Choice
from agent.capture.targets import RESCAN_AFTER_NS
from tests.capture.machine import LIBSSL, NODE, Machine, rescan


def test_who_is_told_of_mappings_looks_when_there_is_something_to_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file never met: at once, also of a process never seen; one that was met: a little later; and never without being told."""
    machine = Machine(files={1: [], 2: [NODE]})
    targets = machine.targets(monkeypatch, told=True)
    targets.started(1, 0)
    machine.files[1] = [LIBSSL]
    rescan(targets, RESCAN_AFTER_NS[-1])
    assert machine.kernel.open_paths == []
    while (look := targets.look(1, 1)) is Look.LATER:
        pass
    assert look is Look.DONE
    assert machine.kernel.open_paths == [LIBSSL]
    assert targets.look(2, 1) is Look.DONE
    machine.files[2] = [NODE, LIBSSL]
    targets.look_soon(2, 2)
    rescan(targets, 2)
    assert {library.path: library.processes for library in targets.status()} == {LIBSSL: 1, NODE: 1}
    rescan(targets, 2 + RESCAN_AFTER_NS[0])
    assert {library.path: library.processes for library in targets.status()} == {LIBSSL: 2, NODE: 1}
    machine.files[1] = []
    targets.look_at_all(5)
    rescan(targets, 5)
    assert {library.path: library.processes for library in targets.status()} == {LIBSSL: 1, NODE: 1}


def test_looks_that_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is gone, and one that is not selected."""
    machine = Machine(files={1: [LIBSSL]}, choices={1: Choice.UNSELECTED})
    targets = machine.targets(monkeypatch, told=True)
    assert targets.look(7, 1) is Look.NOTHING
    assert targets.look(1, 1) is Look.NOTHING
    assert machine.kernel.links == []
    machine.choices[1] = Choice.SELECTED  # it has another program since
    while (look := targets.look(1, 2)) is Look.LATER:
        pass
    assert look is Look.DONE
    assert machine.kernel.open_paths == [LIBSSL]
    assert targets.knows(1, 2)
    assert not targets.knows(1, 3)


def test_a_process_that_maps_without_end_waits_between_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """For many times what a look costs."""
    machine = Machine(files={1: [LIBSSL]})
    targets = machine.targets(monkeypatch, told=True)
    clock = iter(range(0, 10**12, 10**6))  # a millisecond passes between any two questions
    monkeypatch.setattr("agent.capture.targets.time.monotonic_ns", lambda: next(clock))
    looks = [targets.look(1, 0) for _ in range(1000)]
    assert 20 < looks.count(Look.DONE) < 200
    assert set(looks) == {Look.DONE, Look.LATER}


def test_a_tls_library_waits_for_no_hundred_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read first, and a look that takes long is broken off, and gone on with where it was."""
    others = {f"/lib/{number}.so" for number in range(100)}
    machine = Machine(files={1: sorted(others)}, without_tls=others)
    targets = machine.targets(monkeypatch, told=True)
    plan_of = machine._plan

    def slow(mapped: Mapped) -> tuple[Judged, Library | None]:
        before = time.thread_time()
        while time.thread_time() < before + 0.001:
            pass
        return plan_of(mapped)

    monkeypatch.setattr(machine, "_plan", slow)
    assert targets.look(1, 0) is Look.LATER
    assert 0 < len(machine.read) < 100
    machine.files[1].append(LIBSSL)
    while not machine.kernel.open_paths:
        targets.look(1, 0)
    assert len(machine.read) < 100
    while targets.look(1, 0) is Look.LATER:
        pass
    assert sorted(machine.read) == sorted({*others, LIBSSL})
    assert {library.path: library.processes for library in targets.status()} == {LIBSSL: 1}


def test_a_program_that_is_newer_than_the_look_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a moment after the look; one that is older is looked at as any."""
    machine = Machine(files={1: [LIBSSL]})
    targets = machine.targets(monkeypatch, told=True)
    targets.started(1, 5)
    assert machine.learned == [1]
    while targets.look(1, 6, 4) is Look.LATER:
        pass
    assert machine.learned == [1]
    targets.look(1, 7, 6)
    assert machine.learned == [1, 1]
    assert targets.knows(1, 7)


def test_who_is_not_selected_is_not_read_anew_when_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the program that it had: only what it maps is looked at."""
    machine = Machine(files={1: [LIBSSL]}, choices={1: Choice.UNSELECTED})
    targets = machine.targets(monkeypatch)
    targets.started(1, 0)
    rescan(targets, RESCAN_AFTER_NS[0])
    assert machine.learned == [1]
    assert targets.rescan(RESCAN_AFTER_NS[0] + 1) == []


def test_a_look_that_was_broken_off_is_none_of_those_that_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many it takes to read everything, a late dlopen is found as soon as ever."""
    others = {f"/lib/{number}.so" for number in range(100)}
    machine = Machine(files={1: sorted(others)}, without_tls=others)
    targets = machine.targets(monkeypatch)
    monkeypatch.setattr("agent.capture.targets._PATIENCE_SECONDS", 0.0)
    looks = 0
    while targets.look(1, 1) is Look.LATER:
        looks += 1
    assert looks > 10
    machine.files[1].append(LIBSSL)
    rescan(targets, 1 + RESCAN_AFTER_NS[0])
    assert machine.kernel.open_paths == [LIBSSL]
