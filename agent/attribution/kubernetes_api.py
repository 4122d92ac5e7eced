"""
This node's pods, from the API server: one list, then one watch with a field selector.

Runs in a thread of its own and publishes immutable snapshots at once: owners and namespaces are fetched by other threads, and only
for pods that make calls (``owners``).  When the server is away the last snapshot stays in use, ``health`` says so, and it recovers
by itself.  Rights needed: get, list and watch on pods; get on namespaces, replicasets, jobs.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from kubernetes import client

from agent.attribution.api_health import ApiHealth, Resource
from agent.attribution.backoff import Backoff, spread
from agent.attribution.owners import Objects, namespace_key, owner_key
from agent.attribution.pods import Json, Placed, Pod, guessed_owner, pod_from_json
from agent.attribution.transport import ApiError, Query, Reason, Transport, error_of_status
from agent.logs import Log

_LOG = Log("kubernetes")
_PODS = "/api/v1/pods"
_LIST_SECONDS = 30.0
_PAGE = 500
# From the server's memory, where pods are indexed by node, as kubelet does it.  A list of the newest state would make older servers
# read all pods of the cluster from etcd, once for every node.
_FROM: Query = {"resourceVersion": "0"}
# The server ends a watch after this time, never all at once.
_WATCH_SECONDS = (300.0, 600.0)
# Bookmarks come about every minute.  Silence for longer means a connection that is dead without saying so.
_SILENT_SECONDS = 90.0
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 1.0, 60.0
# All agents are told 410 together, when a server has restarted.  Below hold_seconds, so that calls of pods that start meanwhile are named.
_RELIST_SECONDS = 5.0
# What went well for so long is well: waiting times begin anew.
_STABLE_SECONDS = 30.0
# A watch that ends sooner is a fault, even if it ends politely.
_SHORT_SECONDS = 1.0
_GONE_SECONDS, _MAX_GONE = 120.0, 1_024


class PodWatch:
    """``start`` begins to fill it.  ``connector`` makes a client with the credentials of today: see ``transport.connect``."""

    def __init__(
        self,
        connector: Callable[[], client.ApiClient],
        node: str,
        *,
        patience_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = Transport(connector)
        self._node = node
        self._clock = clock
        self.health = ApiHealth(clock)
        self.objects = Objects(self._transport, self.health, patience_seconds=patience_seconds, clock=clock)
        self._pods: dict[str, Pod] = {}
        self._gone: OrderedDict[str, tuple[float, Pod]] = OrderedDict()
        """Not long gone: calls of a pod's last moment are read after its end."""
        self._version = ""
        """Where to watch from; "" means that a list is due."""
        self._page = _PAGE
        self._retry = Backoff(_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS)
        self._relist = Backoff(_RELIST_SECONDS, _LAST_RETRY_SECONDS)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pods", daemon=True)
        self.synced = threading.Event()
        """The first list is in."""
        self.relists = 0

    def pods(self) -> Mapping[str, Pod]:
        """By the uid that the pod's cgroup carries.  Never changed in place."""
        return self._pods

    def find(self, uid: str) -> Pod | None:
        """Of this node, or not long gone."""
        pod = self._pods.get(uid)
        if pod is None and uid in self._gone:
            gone = self._gone.get(uid)
            pod = gone[1] if gone is not None else None
        return pod

    def place(self, pod: Pod) -> Placed:
        """What is known of its owner and namespace; what is missing is asked for, in another thread."""
        namespace = self.objects.ask(namespace_key(pod))
        labels = namespace.found.labels if namespace.found else {}
        pending, doubt = namespace.pending, f"namespace_{namespace.missing}" if namespace.missing else ""
        owner, key = guessed_owner(pod), owner_key(pod)
        if key is not None and pod.controller is not None:
            answer = self.objects.ask(key)
            pending |= answer.pending
            if answer.found:
                owner = answer.found.controller or pod.controller
            else:
                doubt = f"owner_{answer.missing}"
        return Placed(pod=pod, owner=owner, namespace_labels=labels, pending=pending, doubt=doubt)

    def start(self) -> None:
        self._thread.start()
        self.objects.start()

    def stop(self) -> None:
        self._stop.set()
        self.objects.stop()
        self._transport.close()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    # ---------------------------------------------------------------------------------------------------------- the loop

    def _run(self) -> None:
        while not self._stop.is_set():
            began = self._clock()
            failure = None
            try:
                if not self._version:
                    self._list()
                self._watch()
            except ApiError as error:
                failure = error
            if not self._stop.is_set():
                self._stop.wait(self._pause_seconds(failure, self._clock() - began))

    def _pause_seconds(self, failure: ApiError | None, lasted_seconds: float) -> float:
        """Before the next try.  The watched version is kept over faults: where the server still knows it, nobody lists anew."""
        if lasted_seconds >= _STABLE_SECONDS:
            self._retry.reset()
            self._relist.reset()
        if failure is None:
            return self._retry.wait_seconds() if lasted_seconds < _SHORT_SECONDS else 0.0
        if failure.reason is Reason.EXPIRED:
            self._version = ""
            return self._relist.wait_seconds()
        return self._retry.wait_seconds(failure.retry_after_seconds)

    # ---------------------------------------------------------------------------------------------------- list and watch

    def _list(self) -> None:
        fresh: dict[str, Pod] = {}
        query = {**_FROM, "limit": str(self._page)} if self._page else _FROM
        try:
            while True:
                metadata = self._list_page(query, fresh)
                token = metadata.get("continue")
                if not (isinstance(token, str) and token) or self._stop.is_set():
                    break
                query = {"continue": token, "limit": str(self._page)}
        except ApiError as error:
            if error.reason is Reason.EXPIRED:
                # The token did not live as long as the list: the next one comes in one piece.
                self._page = 0
            if not self._stop.is_set():
                self.health.failed(Resource.POD_LIST, error)
            raise
        self._publish(fresh)
        self._version = _version(metadata)
        self.relists += 1
        self.health.worked(Resource.POD_LIST)
        self.synced.set()
        _LOG.info("pods listed", pods=len(fresh))

    def _list_page(self, query: Query, fresh: dict[str, Pod]) -> Json:
        self.health.asked(Resource.POD_LIST)
        answer = self._transport.get(_PODS, {**self._selector, **query}, seconds=_LIST_SECONDS)
        items, metadata = answer.get("items"), answer.get("metadata")
        if not isinstance(metadata, dict) or not _version(metadata):
            # Not a list: better the old snapshot than an empty one.
            raise ApiError(Reason.BAD_ANSWER)
        for item in items if isinstance(items, list) else []:
            pod = pod_from_json(item) if isinstance(item, dict) else None
            if pod is not None:
                fresh[pod.cgroup_uid] = pod
        return metadata

    def _watch(self) -> None:
        query = {
            **self._selector,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(int(spread(*_WATCH_SECONDS))),
        }
        is_open = False
        try:
            self.health.asked(Resource.POD_WATCH)
            with self._transport.watch(_PODS, query, silent_seconds=_SILENT_SECONDS) as events:
                is_open = True
                self.health.worked(Resource.POD_WATCH)
                for event in events:
                    self._on_event(event)
                    self.health.worked(Resource.POD_WATCH)
                    if self._stop.is_set():
                        return
        except ApiError as error:
            if self._stop.is_set() or (is_open and error.reason is Reason.TIMEOUT):
                # Silence: the next watch goes on from the same version, and fails if the server is away.
                return
            self.health.failed(Resource.POD_WATCH, error)
            raise

    def _on_event(self, event: Json) -> None:
        kind, item = event.get("type"), event.get("object")
        if not isinstance(item, dict):
            raise ApiError(Reason.BAD_ANSWER)
        if kind == "ERROR":
            code = item.get("code")
            raise error_of_status(code if isinstance(code, int) else 0)
        if kind in ("ADDED", "MODIFIED", "DELETED") and (pod := pod_from_json(item)) is not None:
            pods = dict(self._pods)
            if kind == "DELETED":
                pods.pop(pod.cgroup_uid, None)
            else:
                pods[pod.cgroup_uid] = pod
            self._publish(pods)
        metadata = item.get("metadata")
        self._version = _version(metadata if isinstance(metadata, dict) else {}) or self._version

    def _publish(self, pods: dict[str, Pod]) -> None:
        now = self._clock()
        for uid, pod in self._pods.items():
            if uid not in pods:
                self._gone[uid] = (now, pod)
        while self._gone and (len(self._gone) > _MAX_GONE or now - next(iter(self._gone.values()))[0] > _GONE_SECONDS):
            self._gone.popitem(last=False)
        self._pods = pods

    @property
    def _selector(self) -> Query:
        return {"fieldSelector": f"spec.nodeName={self._node}"}


def _version(metadata: Mapping[str, object]) -> str:
    version = metadata.get("resourceVersion")
    return version if isinstance(version, str) else ""
