"""
Of how many TLS connections to model APIs each pod's calls were read; for the page, the commands and a counter.

Providers are names of ours or of the configuration; pods are as many as the gauge of coverage has.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from agent.model import Joined, Workload
from agent.sinks.limits import Limiter, clean
from agent.sinks.metrics import WHO

Who = tuple[str, str, str, str]
"""Namespace, kind, name and pod."""
Outcomes = Mapping[tuple[Who, str], Mapping[str, int]]
"""By who and provider: every outcome, and how often it came."""


def who_of(workload: Workload) -> Who:
    return workload.namespace, workload.kind, workload.name, workload.pod


class Connections:
    """``accept`` and ``forget_pod`` are for the core's thread; the others for any.  Pods beyond the limit, the youngest, are counted together."""

    def __init__(self, *, max_pods: int) -> None:
        self._limiter = Limiter(dict.fromkeys(WHO, max_pods))
        self._lock = threading.Lock()
        self._counts: dict[tuple[Who, str], dict[str, int]] = {}

    def accept(self, workload: Workload, provider: str, joined: Joined, number: int = 1) -> None:
        with self._lock:
            namespace, kind, name, pod = map(self._limiter.admit, WHO, who_of(workload))
            counts = self._counts.setdefault(
                ((namespace, kind, name, pod), clean(provider)), dict.fromkeys(map(str, Joined), 0)
            )
            counts[str(joined)] += number

    def forget_pod(self, namespace: str, pod: str) -> None:
        """Of a deleted pod nothing more is told, and its place is free."""
        gone = (clean(namespace), clean(pod))
        with self._lock:
            self._counts = {key: counts for key, counts in self._counts.items() if (key[0][0], key[0][3]) != gone}
            for place, label in enumerate(WHO):
                self._limiter.keep(label, {who[place] for who, _ in self._counts})

    def outcomes(self) -> Outcomes:
        with self._lock:
            return {key: dict(counts) for key, counts in self._counts.items()}

    def samples(self) -> dict[tuple[str, ...], float]:
        return dict(self._samples())

    def _samples(self) -> Iterable[tuple[tuple[str, ...], float]]:
        for (who, provider), counts in self.outcomes().items():
            for outcome, number in counts.items():
                yield (*who, provider, outcome), float(number)
