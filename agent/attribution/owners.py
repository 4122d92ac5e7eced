"""
Owners and namespaces, fetched on demand, kept for a while.

Only for pods that make calls to models: of 10,000 pods of a rollout a few hundred do, and the API server is asked for those few
only.  The price is a first call that waits some milliseconds for its owner.  Whoever asks never waits here: what is not known is
put on a short queue, two threads work it off at a bounded pace, and a failure is remembered too, so that it is not repeated for
every call.  What was known stays in use when it can't be renewed: an owner that is gone still owned the pod.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from agent.attribution.api_health import ApiHealth, Resource
from agent.attribution.backoff import Backoff, spread
from agent.attribution.pods import Json, Owner, Pod, controller_of, labels_of, needs_owner
from agent.attribution.transport import ApiError, Query, Reason, Transport

_WORKERS = 2
# With two workers at most 40 requests a second from one node, however many pods begin to speak at once.
_PACE_SECONDS = 0.05
_READ_SECONDS = 5.0
# Two for each of 1,000 pods, which would all have to belong to different owners and namespaces.
_MAX_KEPT = 2_048
_MAX_QUEUED = 1_024
# A ReplicaSet never changes hands; a namespace's team may be written tonight.
_KEPT_SECONDS = {Resource.OWNER: 3600.0, Resource.NAMESPACE: 900.0}
_REFUSED_SECONDS = 300.0
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 2.0, 300.0

_PATHS = {
    "ReplicaSet": "/apis/apps/v1/namespaces/{namespace}/replicasets/{name}",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs/{name}",
}
# From the server's own memory, not from etcd.
_FROM_CACHE: Query = {"resourceVersion": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    resource: Resource
    path: str
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    controller: Owner | None
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    found: Found | None
    pending: bool = False
    missing: str = ""
    """Why there is none: ``late``, ``denied`` or ``gone``."""


@dataclass(slots=True)
class _Entry:
    asked_at: float
    """When it was first asked for."""
    backoff: Backoff
    found: Found | None = None
    missing: str = "late"
    good_until: float = 0.0
    """When to ask (again)."""
    queued: bool = False
    answered: bool = field(default=False)
    """At least one request has come to its end, well or badly."""


def owner_key(pod: Pod) -> Key | None:
    """None where the pod's own object tells its owner."""
    if pod.controller is None or not needs_owner(pod):
        return None
    path = _PATHS[pod.controller.kind].format(namespace=pod.namespace, name=pod.controller.name)
    return Key(resource=Resource.OWNER, path=path, uid=pod.controller.uid)


def namespace_key(pod: Pod) -> Key:
    return Key(resource=Resource.NAMESPACE, path=f"/api/v1/namespaces/{pod.namespace}")


class Objects:
    """``ask`` is for any thread.  ``patience_seconds``: for how long an answer that has not come is worth waiting for."""

    def __init__(
        self,
        transport: Transport,
        health: ApiHealth,
        *,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._health = health
        self._patience = patience_seconds
        self._clock = clock
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._queue: queue.Queue[Key] = queue.Queue(_MAX_QUEUED)
        self._stop = threading.Event()

    @property
    def kept(self) -> int:
        return len(self._entries)

    def start(self) -> None:
        for number in range(_WORKERS):
            threading.Thread(target=self._work, name=f"owners-{number}", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def ask(self, key: Key) -> Answer:
        """What is known; it is asked for where nothing is, or where that is old."""
        now = self._clock()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(
                    asked_at=now, backoff=Backoff(_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS)
                )
                if len(self._entries) > _MAX_KEPT:
                    self._entries.popitem(last=False)
            self._entries.move_to_end(key)
            if not entry.queued and now >= entry.good_until:
                # Where the queue is full the next call asks again.
                entry.queued = self._enqueue(key)
            pending = not entry.answered and now - entry.asked_at < self._patience
            return Answer(found=entry.found, pending=pending, missing="" if entry.found else entry.missing)

    def _enqueue(self, key: Key) -> bool:
        try:
            self._queue.put_nowait(key)
        except queue.Full:
            return False
        return True

    # ------------------------------------------------------------------------------------------------------- the workers

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                key = self._queue.get(timeout=1.0)
            except queue.Empty:
                continue
            self.fetch(key)
            self._stop.wait(_PACE_SECONDS)

    def fetch(self, key: Key) -> None:
        """Ask the server, and remember what it said or that it did not."""
        found, error = None, None
        try:
            found = self._read(key)
        except ApiError as failure:
            error = failure
        now = self._clock()
        with self._lock:
            # Gone from memory while the request was under way: then nobody has asked for it for long.
            entry = self._entries.get(key)
            if entry is None:
                return
            entry.queued, entry.answered = False, True
            if error is None:
                entry.found = found
                entry.good_until = now + _KEPT_SECONDS[key.resource] * spread(0.75, 1.25)
                entry.backoff.reset()
            elif error.reason in (Reason.DENIED, Reason.NOT_FOUND):
                entry.missing = "denied" if error.reason is Reason.DENIED else "gone"
                entry.good_until = now + _REFUSED_SECONDS * spread(0.75, 1.25)
            else:
                entry.missing = "late"
                entry.good_until = now + entry.backoff.wait_seconds(error.retry_after_seconds)

    def _read(self, key: Key) -> Found:
        try:
            try:
                item = self._get(key, _FROM_CACHE)
            except ApiError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
                # A server's memory may be a moment older than the pod that told us of its owner.
                item = self._get(key, {})
            metadata = cast(Json, item.get("metadata") or {})
            if key.uid and metadata.get("uid") not in (None, key.uid):
                # Another one of that name.
                raise ApiError(Reason.NOT_FOUND)
        except ApiError as error:
            self._health.failed(key.resource, error)
            raise
        self._health.worked(key.resource)
        labels = labels_of(metadata) if key.resource is Resource.NAMESPACE else {}
        return Found(controller=controller_of(metadata), labels=labels)

    def _get(self, key: Key, query: Query) -> Json:
        self._health.asked(key.resource)
        return self._transport.get(key.path, query, seconds=_READ_SECONDS, metadata_only=True)
