"""
This node's pods, from the API server: one list and one watch with a field selector, owners and namespaces on demand.

Runs in a thread of its own and publishes immutable snapshots.  When the server is away the last snapshot stays in use, and
``status`` says so; it recovers by itself.  Rights needed: get, list and watch on pods; get on namespaces, replicasets, jobs.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson
import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from agent.attribution.pods import Json, Owner, Placed, Pod, controller_of, guessed_owner, pod_from_json
from agent.attribution.settings import AttributionError
from agent.logs import Log

_LOG = Log("kubernetes")
_CONNECT_SECONDS, _READ_SECONDS = 5, 30
# The server ends a watch after this; a little random, so that agents don't come back all at once.
_WATCH_SECONDS = 300
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 1.0, 60.0
# Labels of namespaces and owners change rarely.
_KEPT_SECONDS = 300.0
_MAX_KEPT = 10_000
_OWNER_PATHS = {
    "ReplicaSet": "/apis/apps/v1/namespaces/{namespace}/replicasets/{name}",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs/{name}",
}
_FAILURES = (ApiException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, orjson.JSONDecodeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the watch is worth right now."""

    reachable: bool = False
    error: str = ""
    """Class and HTTP status of the last failure; never a body."""
    relists: int = 0
    watch_errors: int = 0
    pods: int = 0


class _ExpiredError(Exception):
    """410 Gone: the version we watched from is forgotten; list anew."""


def connect(*, kubeconfig: str = "", context: str = "") -> client.ApiClient:
    """A client by a kubeconfig file, or by the pod's own service account.  Raises AttributionError."""
    try:
        configuration = client.Configuration()
        if kubeconfig:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, context=context or None, client_configuration=configuration
            )
        else:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError, KeyError, TypeError, ValueError) as error:
        where = kubeconfig or "the pod's service account"
        raise AttributionError(
            f"{where}: no usable access to an API server ({type(error).__name__}); "
            "name a kubeconfig, a PodList file (--pod-list), or set attribution.source to host"
        ) from None
    configuration.retries = False
    return client.ApiClient(configuration)


class PodWatch:
    """``pods()`` is the current snapshot by uid; ``start`` begins to fill it."""

    def __init__(self, api: client.ApiClient, node: str) -> None:
        self._api = api
        self._node = node
        self._pods: dict[str, Placed] = {}
        self._kept: dict[str, tuple[float, Json | None]] = {}
        self._stop = threading.Event()
        self.status = Status()
        self.synced = threading.Event()
        """The first list is in."""

    def pods(self) -> Mapping[str, Placed]:
        """By the uid that the pod's cgroup carries.  Never changed in place."""
        return self._pods

    def start(self) -> None:
        threading.Thread(target=self._run, name="pods", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        wait = _FIRST_RETRY_SECONDS
        version = ""
        while not self._stop.is_set():
            try:
                if not version:
                    version = self._list()
                    wait = _FIRST_RETRY_SECONDS
                version = self._watch(version)
                wait = _FIRST_RETRY_SECONDS
            except _ExpiredError:
                version = ""
                self._stop.wait(random.uniform(0, 1))  # noqa: S311 - jitter, not a secret
            except _FAILURES as error:
                # Denied, gone or broken: the next list tells whether the watched version still holds.
                version = ""
                self._failed(error)
                self._stop.wait(wait * random.uniform(0.5, 1))  # noqa: S311
                wait = min(wait * 2, _LAST_RETRY_SECONDS)

    # ---------------------------------------------------------------------------------------------------- list and watch

    def _list(self) -> str:
        answer = self._get("/api/v1/pods", self._selector(resourceVersion="0"))
        items = answer.get("items")
        fresh = {}
        for item in items if isinstance(items, list) else []:
            pod = pod_from_json(item)
            if pod is not None:
                fresh[pod.mirror_uid or pod.uid] = self._placed(pod)
        self._pods = fresh
        self.status = replace(self.status, reachable=True, error="", relists=self.status.relists + 1, pods=len(fresh))
        self.synced.set()
        _LOG.info("pods listed", pods=len(fresh))
        return str(cast(Mapping[str, object], answer.get("metadata") or {}).get("resourceVersion", ""))

    def _watch(self, version: str) -> str:
        seconds = int(_WATCH_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
        query = self._selector(
            watch="true", resourceVersion=version, allowWatchBookmarks="true", timeoutSeconds=str(seconds)
        )
        response = self._request("/api/v1/pods", query, read_seconds=seconds + 10)
        self.status = replace(self.status, reachable=True, error="")
        try:
            for event in _lines(response):
                if self._stop.is_set():
                    break
                version = self._on_event(event) or version
        finally:
            response.close()
        return version

    def _on_event(self, event: Json) -> str:
        kind, item = event.get("type"), event.get("object")
        if not isinstance(item, dict):
            return ""
        if kind == "ERROR":
            if item.get("code") == 410:
                raise _ExpiredError
            raise ApiException(status=item.get("code"))
        pod = pod_from_json(item)
        if pod is not None and kind in ("ADDED", "MODIFIED", "DELETED"):
            pods = dict(self._pods)
            key = pod.mirror_uid or pod.uid
            if kind == "DELETED":
                pods.pop(key, None)
            else:
                pods[key] = self._placed(pod)
            self._pods = pods
            self.status = replace(self.status, pods=len(pods))
        return str(item.get("metadata", {}).get("resourceVersion", ""))

    def _selector(self, **more: str) -> list[tuple[str, str]]:
        return [("fieldSelector", f"spec.nodeName={self._node}"), *more.items()]

    # ------------------------------------------------------------------------------------------------ owners, namespaces

    def _placed(self, pod: Pod) -> Placed:
        namespace = self._kept_object(f"/api/v1/namespaces/{pod.namespace}")
        metadata = cast(Mapping[str, Any], namespace.get("metadata") or {}) if namespace else {}
        labels = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
        return Placed(pod=pod, owner=self._owner(pod), namespace_labels=labels)

    def _owner(self, pod: Pod) -> Owner:
        controller = pod.controller
        path = _OWNER_PATHS.get(controller.kind) if controller else None
        if controller is None or path is None:
            return guessed_owner(pod)
        found = self._kept_object(path.format(namespace=pod.namespace, name=controller.name))
        if found is None:
            return guessed_owner(pod)
        return controller_of(cast(Json, found.get("metadata") or {})) or controller

    def _kept_object(self, path: str) -> Json | None:
        """An object, from memory for some minutes; None where it can't be had, also remembered."""
        now = time.monotonic()
        kept = self._kept.get(path)
        if kept is not None and now - kept[0] < _KEPT_SECONDS:
            return kept[1]
        try:
            found: Json | None = self._get(path, [])
        except _FAILURES as error:
            self._failed(error, reachable=self.status.reachable)
            found = kept[1] if kept is not None else None
            if getattr(error, "status", None) not in (403, 404):
                return found  # a passing fault: asked again the next time
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[path] = (now, found)
        return found

    # --------------------------------------------------------------------------------------------------------- transport

    def _get(self, path: str, query: list[tuple[str, str]]) -> Json:
        response = self._request(path, query, read_seconds=_READ_SECONDS)
        try:
            return cast(Json, orjson.loads(response.data))
        finally:
            response.close()

    def _request(self, path: str, query: list[tuple[str, str]], *, read_seconds: int) -> urllib3.HTTPResponse:
        method, url, headers, body, post_params = self._api.param_serialize(
            "GET",
            path,
            query_params=query,
            auth_settings=["BearerToken"],
            header_params={"Accept": "application/json"},
        )
        answer = self._api.call_api(
            method, url, headers, body, post_params, _request_timeout=(_CONNECT_SECONDS, read_seconds)
        )
        response = cast(urllib3.HTTPResponse, answer.response)
        if not 200 <= response.status < 300:
            response.close()
            if response.status == 410:
                raise _ExpiredError
            raise ApiException(status=response.status)
        return response

    def _failed(self, error: Exception, *, reachable: bool = False) -> None:
        status = getattr(error, "status", None)
        said = f"{type(error).__name__} {status}" if status else type(error).__name__
        if said != self.status.error:
            _LOG.warning("API server", error=said, consequence="pods are named from what is known so far")
        self.status = replace(self.status, reachable=reachable, error=said, watch_errors=self.status.watch_errors + 1)


def _lines(response: urllib3.HTTPResponse) -> Iterator[Json]:
    """The events of a watch: one JSON object a line."""
    buffer = b""
    for chunk in response.stream(65536, decode_content=True):
        buffer += chunk
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            if line.strip():
                yield cast(Json, orjson.loads(line))
