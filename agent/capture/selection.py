"""Which processes are watched.  Pure: what is known of a process and its pod comes in."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Choice(enum.Enum):
    SELECTED = enum.auto()
    UNSELECTED = enum.auto()
    UNDECIDED = enum.auto()
    """Its pod's object has not come yet: watched until it is known, so that no first call is missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    namespace: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Empty means everything."""

    namespaces: tuple[str, ...] = ()
    exclude_namespaces: tuple[str, ...] = ()
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    process_names: tuple[str, ...] = ()
    exclude_process_names: tuple[str, ...] = ()

    @property
    def asks_for_pods(self) -> bool:
        return bool(self.namespaces or self.exclude_namespaces or self.pod_labels)

    def choose(self, name: str, *, in_pod: bool, pod: PodFacts | None) -> Choice:
        """``pod`` is None where the process is in none, or in one that is not known yet (``in_pod``)."""
        if name in self.exclude_process_names or (self.process_names and name not in self.process_names):
            return Choice.UNSELECTED
        if not self.asks_for_pods:
            return Choice.SELECTED
        if pod is None:
            if in_pod:
                return Choice.UNDECIDED
            return Choice.UNSELECTED if self.namespaces or self.pod_labels else Choice.SELECTED
        wanted = (
            (not self.namespaces or pod.namespace in self.namespaces)
            and pod.namespace not in self.exclude_namespaces
            and all(pod.labels.get(key) == value for key, value in self.pod_labels.items())
        )
        return Choice.SELECTED if wanted else Choice.UNSELECTED
