"""Everything under ``/`` and ``/api/v1/`` as one sink."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agent.model import LedgerEntry
from agent.sinks.connections import Outcomes
from agent.sinks.coverage import Covered
from agent.sinks.http import Route
from agent.sinks.web import pages
from agent.sinks.web.api import Api, Capture, Identity
from agent.sinks.web.doctor import Doctor
from agent.sinks.web.recent import Recent
from agent.sinks.web.spend import Spend


class Site:
    """``accept`` and ``forget_pod`` are for the core's thread; routes are called on any."""

    def __init__(
        self,
        identity: Identity,
        *,
        capture: Callable[[], Capture],
        coverage: Callable[[], Iterable[Covered]],
        connections: Callable[[], Outcomes],
        doctor: Callable[[], str] | None,
        max_pods: int,
    ) -> None:
        self._spend = Spend(max_pods)
        self._recent = Recent()
        self._api = Api(
            identity,
            capture=capture,
            spend=self._spend,
            recent=self._recent,
            coverage=coverage,
            connections=connections,
            doctor=Doctor(doctor) if doctor is not None else None,
        )

    def accept(self, entry: LedgerEntry) -> None:
        self._recent.accept(entry)
        self._spend.accept(entry)

    def forget_pod(self, namespace: str, pod: str) -> None:
        self._spend.forget_pod(namespace, pod)

    def routes(self) -> Mapping[str, Route]:
        return {**pages.routes(), **self._api.routes()}
