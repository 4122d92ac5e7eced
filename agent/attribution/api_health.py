"""What access to the API server is worth: counters for the page, and one log line when it changes."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable, Mapping

from agent.attribution.transport import ApiError, Reason
from agent.logs import Log

_LOG = Log("kubernetes")


class Resource(enum.StrEnum):
    """What is asked for; values of a metric's label."""

    POD_LIST = "pod_list"
    POD_WATCH = "pod_watch"
    OWNER = "owner"
    NAMESPACE = "namespace"


_CONSEQUENCES = {
    Resource.POD_LIST: "pods are named from what is known so far",
    Resource.POD_WATCH: "pods are named from what is known so far",
    Resource.OWNER: "workloads are derived from the names of ReplicaSets and Jobs",
    Resource.NAMESPACE: "teams come from the pods' own labels only",
}
# These tell of one object or one version, not of the server.
_ORDINARY = (Reason.NOT_FOUND, Reason.EXPIRED)


class ApiHealth:
    """For several threads.  A trouble is logged once for each reason until it is over, however often it is met."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # All from the start: a counter that begins at 1 has no increase.
        self._errors = dict.fromkeys(Reason, 0)
        self._requests = dict.fromkeys(Resource, 0)
        self._troubles: dict[Resource, tuple[float, list[Reason]]] = {}
        self._fresh_at: float | None = None
        self.reachable = False
        """The pods of this node are listed and watched."""
        self.error = ""
        """Why not: a reason and a status, never a text of the server's."""

    @property
    def errors(self) -> Mapping[Reason, int]:
        return self._errors

    @property
    def requests(self) -> Mapping[Resource, int]:
        return self._requests

    def age_seconds(self) -> float | None:
        """Since the server last confirmed the list of pods; None before the first."""
        return None if self._fresh_at is None else self._clock() - self._fresh_at

    def asked(self, resource: Resource) -> None:
        with self._lock:
            self._requests[resource] += 1

    def failed(self, resource: Resource, error: ApiError) -> None:
        with self._lock:
            self._errors[error.reason] += 1
            if error.reason in _ORDINARY:
                return
            if _is_pods(resource):
                self.reachable, self.error = False, str(error)
            _, reasons = self._troubles.setdefault(_group(resource), (self._clock(), []))
            if error.reason in reasons:
                return
            reasons.append(error.reason)
        _LOG.warning("API server", asked=resource.value, error=str(error), consequence=_CONSEQUENCES[resource])

    def worked(self, resource: Resource) -> None:
        with self._lock:
            if _is_pods(resource):
                self.reachable, self.error = True, ""
                self._fresh_at = self._clock()
            if _group(resource) not in self._troubles:
                return
            since, _ = self._troubles.pop(_group(resource))
        _LOG.info("API server answers again", asked=resource.value, after_seconds=round(self._clock() - since, 1))


def _is_pods(resource: Resource) -> bool:
    return resource in (Resource.POD_LIST, Resource.POD_WATCH)


def _group(resource: Resource) -> Resource:
    return Resource.POD_LIST if _is_pods(resource) else resource
