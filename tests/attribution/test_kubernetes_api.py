"""The watch of this node's pods, over a fake transport: lists, events, expiry, denial, absence.  tests/cluster has the real server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.attribution.kubernetes_api import PodWatch, connect
from agent.attribution.settings import AttributionError
from tests.attribution.objects import UID, pod

Answer = tuple[int, object]
REPLICA_SET = {
    "metadata": {
        "name": "bot-7c9d8f6b54",
        "ownerReferences": [{"kind": "Deployment", "name": "bot", "controller": True}],
    }
}
NAMESPACE = {"metadata": {"name": "shop", "labels": {"team": "payments"}}}


class FakeResponse:
    """What urllib3 gives, as far as it is used."""

    def __init__(self, status: int, body: object) -> None:
        self.status = status
        lines = body if isinstance(body, list) else None
        self.data = b"" if lines is not None else json.dumps(body).encode()
        self._lines = [json.dumps(line).encode() + b"\n" for line in lines or []]

    def stream(self, size: int, decode_content: bool) -> Iterator[bytes]:
        joined = b"".join(self._lines)
        # Events cut in the middle, as TCP does.
        yield from (joined[at : at + 7] for at in range(0, len(joined), 7))

    def close(self) -> None:
        pass


class FakeApi:
    """A transport that answers from a function of the path and the query."""

    def __init__(self, answer: Callable[[str, dict[str, str]], Answer]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str]]] = []

    def param_serialize(self, method: str, path: str, **options: Any) -> tuple[Any, ...]:
        return (method, path, options["query_params"], None, None)

    def call_api(self, method: str, path: str, query: list[tuple[str, str]], *_: object, **__: object) -> Any:
        self.asked.append((path, dict(query)))
        status, body = self.answer(path, dict(query))
        if status == 0:
            raise ConnectionRefusedError
        return type("Answer", (), {"response": FakeResponse(status, body)})()


def pod_list(*pods: object, version: str = "10") -> dict[str, object]:
    return {"kind": "PodList", "metadata": {"resourceVersion": version}, "items": list(pods)}


def watch(answer: Callable[[str, dict[str, str]], Answer]) -> tuple[PodWatch, FakeApi]:
    api = FakeApi(answer)
    return PodWatch(api, "node-1"), api  # type: ignore[arg-type]


def objects(path: str, query: dict[str, str]) -> Answer:
    """A server with one pod, its ReplicaSet and its namespace."""
    if path == "/api/v1/pods":
        return 200, pod_list(pod())
    if "replicasets" in path:
        return 200, REPLICA_SET
    return (200, NAMESPACE) if path == "/api/v1/namespaces/shop" else (404, {})


def test_a_list_gives_pods_with_their_owners_and_namespaces_labels() -> None:
    """Only this node's are asked for."""
    pods, api = watch(objects)
    assert pods._list() == "10"
    placed = pods.pods()[UID]
    assert (placed.owner.kind, placed.owner.name, placed.namespace_labels["team"]) == ("Deployment", "bot", "payments")
    assert api.asked[0] == ("/api/v1/pods", {"fieldSelector": "spec.nodeName=node-1", "resourceVersion": "0"})
    assert (pods.status.reachable, pods.status.pods, pods.synced.is_set()) == (True, 1, True)


def test_owners_and_namespaces_are_fetched_once() -> None:
    """Not for every pod of a Deployment."""
    pods, api = watch(
        lambda path, query: (
            (200, pod_list(pod(), pod("b", uid="99999999-2222-3333-4444-555555555555")))
            if path == "/api/v1/pods"
            else objects(path, query)
        )
    )
    pods._list()
    assert len([path for path, _ in api.asked if "replicasets" in path]) == 1
    assert len([path for path, _ in api.asked if "namespaces/shop" in path and "apis" not in path]) == 1


def test_events_change_the_snapshot_and_carry_the_version_on() -> None:
    """Added, modified, deleted, bookmark; a snapshot that was given out does not change."""
    moved = pod("b", uid="99999999-2222-3333-4444-555555555555", owner=None, resourceVersion="11")
    events = [
        {"type": "ADDED", "object": moved},
        {
            "type": "MODIFIED",
            "object": {**moved, "metadata": {**moved["metadata"], "labels": {"team": "x"}, "resourceVersion": "12"}},
        },
        {"type": "DELETED", "object": pod(resourceVersion="13")},
        {"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "14"}}},
    ]
    pods, _ = watch(lambda path, query: (200, events) if "watch" in query else objects(path, query))
    pods._list()
    before = pods.pods()
    assert pods._watch("10") == "14"
    assert set(before) == {UID}
    assert {placed.pod.name: dict(placed.pod.labels) for placed in pods.pods().values()} == {"b": {"team": "x"}}


@pytest.mark.parametrize("how", ["status", "event"])
def test_an_expired_version_lists_anew(how: str) -> None:
    """410, as a status or as an event in the stream: nobody is lost, nobody stays as a ghost."""
    lists = 0

    def answer(path: str, query: dict[str, str]) -> Answer:
        nonlocal lists
        if "watch" in query:
            gone = {"type": "ERROR", "object": {"code": 410}}
            return (410, {}) if how == "status" else (200, [gone])
        if path == "/api/v1/pods":
            lists += 1
            return 200, pod_list(*([pod()] if lists > 1 else []))
        return objects(path, query)

    pods, _ = watch(answer)
    pods.start()
    _wait_for(lambda: UID in pods.pods())
    pods.stop()
    assert pods.status.relists >= 2


def test_denial_is_told_and_survived() -> None:
    """403 on pods: no snapshot, and the status says why; nothing of a body."""
    pods, _ = watch(lambda path, query: (403, {"message": "secret"}))
    pods.start()
    _wait_for(lambda: bool(pods.status.error))
    pods.stop()
    assert (pods.status.reachable, pods.status.error) == (False, "ApiException 403")
    assert pods.pods() == {}


def test_owners_that_may_not_be_read_are_guessed() -> None:
    """The pods themselves are still named."""
    pods, _ = watch(lambda path, query: objects(path, query) if path == "/api/v1/pods" else (403, {}))
    pods._list()
    assert pods.pods()[UID].owner.name == "bot"
    assert pods.status.watch_errors == 2


def test_a_server_that_goes_away_leaves_the_snapshot_and_comes_back() -> None:
    """Names from what is known, said so, and recovered without help."""
    away = threading.Event()

    def answer(path: str, query: dict[str, str]) -> Answer:
        if away.is_set():
            return 0, {}
        if "watch" in query:
            time.sleep(0.05)
            return 200, []
        return objects(path, query)

    pods, _ = watch(answer)
    pods.start()
    _wait_for(pods.synced.is_set)
    away.set()
    _wait_for(lambda: not pods.status.reachable)
    assert UID in pods.pods()
    assert pods.status.error == "ConnectionRefusedError"
    away.clear()
    _wait_for(lambda: pods.status.reachable and not pods.status.error)
    pods.stop()


def test_no_access_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig that is none; no service account."""
    (tmp_path / "config").write_text("hello")
    with pytest.raises(AttributionError, match="no usable access"):
        connect(kubeconfig=str(tmp_path / "config"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(AttributionError, match="--pod-list"):
        connect()


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)
