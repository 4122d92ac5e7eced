"""All stacks together."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.capture import stacks
from agent.capture.elf import ElfFile, TooDearError
from agent.capture.plan import Plan, Unreadable
from agent.capture.sites import Abilities
from tests.capture.builds import load
from tests.capture.dear import DEAR

SEALED = Unreadable(stack="sealed", detail="nobody can read it", remedy="use another one")


class Sealed:
    """A stack that is always there and can't be read."""

    name = "sealed"

    @staticmethod
    def plan(elf: ElfFile, abilities: Abilities) -> Plan:
        return Plan(sites=(), missing=("sealed_read: no",), unreadable=(SEALED,))


def test_a_file_that_carries_several_stacks_has_what_each_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that can't be read does not hide another that can, and the other way round."""
    library = load("debian-12-libssl-3.0")
    alone = stacks.plan(library, Abilities(uretprobe_safe=True))  # type: ignore[arg-type]
    monkeypatch.setattr(stacks, "STACKS", (*stacks.STACKS, Sealed()))
    both = stacks.plan(library, Abilities(uretprobe_safe=True))  # type: ignore[arg-type]
    assert both.sites == alone.sites
    assert both.missing == (*alone.missing, "sealed_read: no")
    assert both.unreadable == (SEALED,)


@pytest.mark.parametrize("build", DEAR)
def test_no_file_costs_more_than_its_time(tmp_path: Path, build: Callable[[Path], Path]) -> None:
    """It is given up; one step of reading it may be under way."""
    with build(tmp_path / "dear").open("rb") as file:
        before = time.thread_time()
        try:
            stacks.plan(ElfFile(file, 0.2), Abilities(uretprobe_safe=True))
        except TooDearError:
            pass
        assert time.thread_time() - before < 5 * 0.2


def test_names_are_unique() -> None:
    """People and coverage know a stack by its name."""
    names = [stack.name for stack in stacks.STACKS]
    assert len(set(names)) == len(names)
