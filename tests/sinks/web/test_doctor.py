"""The doctor over HTTP: one at a time, kept a minute."""

from __future__ import annotations

import threading

import pytest

from agent.sinks.web.doctor import KEPT_SECONDS, Doctor


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_looks_once_a_minute() -> None:
    """Whoever asks often costs nothing."""
    clock, made = Clock(), iter(("one", "two", "three"))
    doctor = Doctor(lambda: next(made), clock=clock)
    assert [doctor.answer() for _ in range(50)] == [b"one"] * 50
    clock.now = KEPT_SECONDS
    assert doctor.answer() == b"two"


def test_one_at_a_time() -> None:
    """Who comes while the first is made is told so; later ones get the last that was made."""
    clock, at_work, go_on = Clock(), threading.Event(), threading.Event()

    def examine() -> str:
        at_work.set()
        assert go_on.wait(10)
        return "made"

    doctor = Doctor(examine, clock=clock)
    for before, after in ((None, b"made"), (b"made", b"made")):
        answers: list[bytes | None] = []
        thread = threading.Thread(target=lambda into=answers: into.append(doctor.answer()))  # type: ignore[misc]
        thread.start()
        assert at_work.wait(10)
        assert doctor.answer() == before
        go_on.set()
        thread.join()
        assert answers == [after]
        at_work.clear()
        go_on.clear()
        clock.now += KEPT_SECONDS


def test_a_failure_is_not_the_end() -> None:
    """It is raised, and the next question is tried again."""
    answers = iter((ZeroDivisionError(), "well"))

    def examine() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    doctor = Doctor(examine)
    with pytest.raises(ZeroDivisionError):
        doctor.answer()
    assert doctor.answer() == b"well"
