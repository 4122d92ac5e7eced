"""
Whose files are read next: those of the pod for which least was read of late.

A pod that starts many processes, each with a file that is made to cost time, would have all others wait for their first probes.  So they wait for one
file at most.  Pure: the caller says what time it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.host.containers import pod_of

# A Python program with two hundred modules takes as much; Node takes a tenth.
LIGHT_SECONDS = 0.5
# A pod that was heavy at its start is an ordinary one again when its job begins anew.
_HALF_LIFE_SECONDS = 10.0
# A node has some hundred pods and units; whoever makes groups in a loop is forgotten with all others.
_MAX_GROUPS = 4096


def group_of(cgroup_path: str) -> str:
    """Whose time it is: a pod with all its containers, or a group that is no pod's."""
    pod = pod_of(cgroup_path)
    return pod.pod_uid if pod is not None else cgroup_path


class Fairness:
    """What was spent for each group, in seconds of a processor; half of it is forgotten every ten seconds."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}

    def spend(self, group: str, seconds: float, at_seconds: float) -> None:
        spent = self.spent(group, at_seconds) + seconds
        if len(self._spent) >= _MAX_GROUPS:
            self._spent.clear()
        self._spent[group] = spent, at_seconds

    def spent(self, group: str, at_seconds: float) -> float:
        spent, since = self._spent.get(group, (0.0, at_seconds))
        return float(spent * 0.5 ** ((at_seconds - since) / _HALF_LIFE_SECONDS))

    def is_light(self, group: str, at_seconds: float) -> bool:
        """Whether so little was read for it that others can wait for it."""
        return self.spent(group, at_seconds) < LIGHT_SECONDS

    def order(self, waiting: Mapping[int, str], at_seconds: float) -> list[int]:
        """Those who wait, with the group of each: least spent first; of one group, and of groups alike, who came first."""
        spent = {group: self.spent(group, at_seconds) for group in set(waiting.values())}
        return sorted(waiting, key=lambda one: spent[waiting[one]])
