"""Who goes first: pods for which little was read of late, and among those alike who came first."""

from __future__ import annotations

import pytest

from agent.capture import fairness as module
from agent.capture.fairness import LIGHT_SECONDS, Fairness, group_of

POD = "/kubepods/burstable/pod11111111-2222-3333-4444-555555555555/"


def test_a_pods_containers_are_one_group() -> None:
    """A pod can't make itself several by its containers; what is no pod's is told by its path."""
    assert group_of(POD + "a" * 64) == group_of(POD + "b" * 64)
    assert group_of("/system.slice/a.service") == "/system.slice/a.service"


def test_the_least_spent_go_first() -> None:
    """However many of another pod came before."""
    fairness = Fairness()
    fairness.spend("heavy", 3.0, 0)
    fairness.spend("medium", 0.1, 0)
    waiting = {1: "heavy", 2: "heavy", 3: "medium", 4: "new", 5: "medium", 6: "new"}
    assert fairness.order(waiting, 0) == [4, 6, 3, 5, 1, 2]
    assert [group for group in ("heavy", "medium", "new") if fairness.is_light(group, 0)] == ["medium", "new"]


def test_what_was_spent_is_forgotten() -> None:
    """Half of it every ten seconds, so that a pod that was dear to begin with is an ordinary one again."""
    fairness = Fairness()
    fairness.spend("pod", 4 * LIGHT_SECONDS, 0)
    assert not fairness.is_light("pod", 0)
    fairness.spend("pod", 0.0, 10)
    assert fairness.spent("pod", 10) == pytest.approx(2 * LIGHT_SECONDS)
    assert not fairness.is_light("pod", 19)
    assert fairness.is_light("pod", 21)


def test_groups_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes groups in a loop costs no memory, and those that are remembered go on."""
    monkeypatch.setattr(module, "_MAX_GROUPS", 10)
    fairness = Fairness()
    for number in range(1000):
        fairness.spend(str(number), 1.0, 0)
        assert len(fairness._spent) <= 10
    fairness.spend("999", 1.0, 0)
    assert fairness.spent("999", 0) == 2.0
