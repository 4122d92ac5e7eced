"""Readings aside: in turns, one a pod, and none that never ends keeps the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from agent.capture import reading as module
from agent.capture.reading import MAX_SILENT, Reading, Readings, computing, waiting

_LONG_SECONDS = 20.0


@pytest.fixture
def answer() -> Iterator[threading.Event]:
    """What a file system is waited for; at last it comes."""
    event = threading.Event()
    yield event
    event.set()


def _begin(readings: Readings, work: object, group: str) -> Reading:
    one = readings.begin(work, group)  # type: ignore[arg-type]
    assert one is not None
    return one


def test_who_waits_for_a_file_lets_the_next_one_compute(answer: threading.Event) -> None:
    """And has its turn again afterwards."""

    def slow() -> None:
        with computing():
            with waiting():
                answer.wait(_LONG_SECONDS)
            assert threading.current_thread() is slow_one

    def quick() -> None:
        with computing():
            pass

    readings = Readings()
    slow_one = _begin(readings, slow, "one")
    assert _begin(readings, quick, "two").over.wait(_LONG_SECONDS)
    assert not slow_one.over.is_set()
    answer.set()
    assert slow_one.over.wait(_LONG_SECONDS)


def test_one_that_computes_without_end_gives_turns_at_each_read() -> None:
    """The other one needs many turns, and gets them in order: who gave his is behind everybody."""
    stop, turns = threading.Event(), []

    def greedy() -> None:
        with computing():
            while not stop.is_set():
                turns.append("greedy")
                with waiting():
                    pass

    def modest() -> None:
        with computing():
            for _ in range(100):
                turns.append("modest")
                with waiting():
                    pass

    readings = Readings()
    greedy_one, modest_one = _begin(readings, greedy, "one"), _begin(readings, modest, "two")
    assert modest_one.over.wait(_LONG_SECONDS)
    stop.set()
    assert greedy_one.over.wait(_LONG_SECONDS)
    first = turns.index("modest")
    assert turns[first:].index("modest") < 3
    last = len(turns) - 1 - turns[::-1].index("modest")
    assert turns[first:last].count("greedy") < 3 * 100


def test_a_pod_has_one_reading_at_a_time_and_all_together_a_few(answer: threading.Event) -> None:
    """So neither time nor memory can be had by asking often."""

    def wait() -> None:
        answer.wait(_LONG_SECONDS)

    readings = Readings()
    _begin(readings, wait, "a")
    assert readings.begin(wait, "a") is None
    begun = sum(readings.begin(wait, str(number)) is not None for number in range(100))
    assert 0 < begun < 10
    answer.set()


def test_what_does_not_answer_takes_no_room_from_others_until_it_is_everywhere(
    answer: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound there is all the same: each has a thread and what it read so far."""
    monkeypatch.setattr(module, "SILENT_AFTER_SECONDS", 0.0)

    def wait() -> None:
        answer.wait(_LONG_SECONDS)

    readings = Readings()
    begun = 0
    while (one := readings.begin(wait, str(begun))) is not None:
        begun += 1
        while not one.silent:
            time.sleep(0.001)
    assert begun == MAX_SILENT == readings.silent
    assert readings.is_silent("0")
    assert not readings.is_silent("another")


def test_elsewhere_it_is_nothing() -> None:
    """The doctor and the tools read files in their own thread."""
    with computing(), waiting():
        pass


def test_work_that_fails_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its turn is another's."""

    def fails() -> None:
        with computing():
            raise ValueError

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    readings = Readings()
    assert _begin(readings, fails, "a").over.wait(_LONG_SECONDS)
    assert _begin(readings, lambda: None, "a").over.wait(_LONG_SECONDS)
