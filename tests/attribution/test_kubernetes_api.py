"""The watch of this node's pods, over a fake transport: lists, events, expiry, denial, absence.  tests/cluster has the real server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from agent.attribution.backoff import Backoff
from agent.attribution.kubernetes_api import PodWatch
from agent.attribution.pods import Placed
from agent.attribution.transport import ApiError, Reason
from tests.attribution.objects import UID, pod

Answer = object
REPLICA_SET = {
    "metadata": {
        "name": "bot-7c9d8f6b54",
        "ownerReferences": [{"kind": "Deployment", "name": "bot", "controller": True}],
    }
}
NAMESPACE = {"metadata": {"name": "shop", "labels": {"team": "payments"}}}


class FakeTransport:
    """Answers from a function of the path and the query: an ApiError is raised, a list is a watch's events."""

    def __init__(self, answer: Callable[[str, dict[str, str]], Answer]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str]]] = []

    def _ask(self, path: str, query: dict[str, str]) -> Any:
        self.asked.append((path, dict(query)))
        answer = self.answer(path, dict(query))
        if isinstance(answer, ApiError):
            raise answer
        return answer

    def get(self, path: str, query: dict[str, str], *, seconds: float, metadata_only: bool = False) -> Any:
        return self._ask(path, query)

    @contextmanager
    def watch(self, path: str, query: dict[str, str], *, silent_seconds: float) -> Iterator[Iterator[Any]]:
        yield self._events(self._ask(path, {"watch": "true", **query}))

    def _events(self, events: list[object]) -> Iterator[Any]:
        for event in events:
            if isinstance(event, ApiError):
                raise event
            yield event

    def close(self) -> None:
        pass


def pod_list(*pods: object, version: str = "10", token: str = "") -> dict[str, object]:
    return {"kind": "PodList", "metadata": {"resourceVersion": version, "continue": token}, "items": list(pods)}


def watch(answer: Callable[[str, dict[str, str]], Answer]) -> tuple[PodWatch, FakeTransport]:
    """Not started; its waiting times are short."""
    transport = FakeTransport(answer)
    pods = PodWatch(lambda: None, "node-1")  # type: ignore[arg-type, return-value]
    pods._transport = pods.objects._transport = transport  # type: ignore[assignment]
    pods._retry, pods._relist = Backoff(0.02, 0.02), Backoff(0.02, 0.02)
    return pods, transport


def objects(path: str, query: dict[str, str]) -> Answer:
    """A server with one pod, its ReplicaSet and its namespace."""
    if path == "/api/v1/pods":
        return pod_list(pod())
    if "replicasets" in path:
        return REPLICA_SET
    return NAMESPACE if path == "/api/v1/namespaces/shop" else ApiError(Reason.NOT_FOUND)


def placed_when_fetched(pods: PodWatch, uid: str = UID) -> Placed:
    """As a call would have it named, after the workers' work."""
    found = pods.find(uid)
    assert found is not None
    pods.place(found)
    while not pods.objects._queue.empty():
        pods.objects.fetch(pods.objects._queue.get_nowait())
    return pods.place(found)


def test_a_list_publishes_pods_at_once() -> None:
    """Only this node's are asked for, from the server's memory, and nothing else: owners come on demand."""
    pods, transport = watch(objects)
    pods._list()
    assert transport.asked == [
        ("/api/v1/pods", {"fieldSelector": "spec.nodeName=node-1", "resourceVersion": "0", "limit": "500"})
    ]
    assert (list(pods.pods()), pods.health.reachable, pods.synced.is_set()) == ([UID], True, True)


def test_a_pod_that_calls_gets_its_owner_and_namespace() -> None:
    """Pending until the workers have asked, certain afterwards; asked once for all pods of a ReplicaSet."""
    other = "99999999-2222-3333-4444-555555555555"
    pods, transport = watch(
        lambda path, query: pod_list(pod(), pod("b", uid=other)) if path == "/api/v1/pods" else objects(path, query)
    )
    pods._list()
    first = pods.place(pods.pods()[UID])
    assert (first.pending, first.doubt, first.owner.name) == (True, "owner_late", "bot")
    placed = placed_when_fetched(pods)
    assert (placed.pending, placed.doubt, placed.owner.kind, placed.namespace_labels["team"]) == (
        False,
        "",
        "Deployment",
        "payments",
    )
    assert placed_when_fetched(pods, other).doubt == ""
    assert [path for path, _ in transport.asked[1:]] == [
        "/api/v1/namespaces/shop",
        "/apis/apps/v1/namespaces/shop/replicasets/bot-7c9d8f6b54",
    ]


@pytest.mark.parametrize(
    ("denied", "doubt", "kind", "team"),
    [("replicasets", "owner_denied", "Deployment", "payments"), ("namespaces/shop", "namespace_denied", "Rollout", "")],
)
def test_denied_owners_and_namespaces_cost_only_their_part(denied: str, doubt: str, kind: str, team: str) -> None:
    """Derived owners are told as such; without namespaces only teams are missing."""
    rollout = {"metadata": {"ownerReferences": [{"kind": "Rollout", "name": "bot", "controller": True}]}}

    def answer(path: str, query: dict[str, str]) -> Answer:
        if path.endswith(denied) or (denied == "replicasets" and denied in path):
            return ApiError(Reason.DENIED, status=403)
        return rollout if "replicasets" in path else objects(path, query)

    pods, _ = watch(answer)
    pods._list()
    placed = placed_when_fetched(pods)
    assert (placed.doubt, placed.owner.kind, placed.namespace_labels.get("team", "")) == (doubt, kind, team)
    assert (pods.health.reachable, pods.health.errors[Reason.DENIED]) == (True, 1)


def test_pages_are_put_together() -> None:
    """By the token of the page before."""
    other = "99999999-2222-3333-4444-555555555555"

    def answer(path: str, query: dict[str, str]) -> Answer:
        return pod_list(pod("b", uid=other)) if query.get("continue") == "t1" else pod_list(pod(), token="t1")

    pods, transport = watch(answer)
    pods._list()
    assert set(pods.pods()) == {UID, other}
    assert transport.asked[1][1] == {"fieldSelector": "spec.nodeName=node-1", "continue": "t1", "limit": "500"}


def test_an_expired_token_lists_anew_in_one_piece() -> None:
    """No half of a list is ever published."""

    def answer(path: str, query: dict[str, str]) -> Answer:
        if "continue" in query:
            return ApiError(Reason.EXPIRED, status=410)
        return pod_list(pod(), token="t1" if "limit" in query else "")

    pods, transport = watch(answer)
    with pytest.raises(ApiError):
        pods._list()
    assert pods.pods() == {}
    pods._list()
    assert (set(pods.pods()), "limit" in transport.asked[-1][1]) == ({UID}, False)


def test_events_change_the_snapshot_and_carry_the_version_on() -> None:
    """Added, modified, deleted, bookmark; a snapshot that was given out does not change, and who left is still found."""
    moved = pod("b", uid="99999999-2222-3333-4444-555555555555", owner=None, resourceVersion="11")
    changed = {**moved, "metadata": {**moved["metadata"], "labels": {"team": "x"}, "resourceVersion": "12"}}
    events: list[object] = [
        {"type": "ADDED", "object": moved},
        {"type": "MODIFIED", "object": changed},
        {"type": "DELETED", "object": pod(resourceVersion="13")},
        {"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "14"}}},
    ]
    pods, _ = watch(lambda path, query: events if "watch" in query else objects(path, query))
    pods._list()
    before = pods.pods()
    pods._watch()
    assert (pods._version, set(before)) == ("14", {UID})
    assert {one.name: dict(one.labels) for one in pods.pods().values()} == {"b": {"team": "x"}}
    gone = pods.find(UID)
    assert gone is not None


@pytest.mark.parametrize("how", ["status", "event"])
def test_an_expired_version_lists_anew(how: str) -> None:
    """410, as a status or as an event in the stream: nobody is lost, and it is counted."""

    def answer(path: str, query: dict[str, str]) -> Answer:
        if "watch" in query:
            gone = {"type": "ERROR", "object": {"code": 410}}
            return ApiError(Reason.EXPIRED, status=410) if how == "status" else [gone]
        return pod_list(*([pod()] if pods.relists else [])) if path == "/api/v1/pods" else objects(path, query)

    pods, _ = watch(answer)
    pods.start()
    _wait_for(lambda: UID in pods.pods())
    pods.stop()
    assert pods.relists >= 2
    assert pods.health.errors[Reason.EXPIRED] >= 1


def test_a_fault_keeps_the_version_and_does_not_list_anew() -> None:
    """What makes a relist storm is 410 alone."""
    pods, _ = watch(lambda path, query: ApiError(Reason.UNREACHABLE) if "watch" in query else objects(path, query))
    pods.start()
    _wait_for(lambda: pods.health.errors[Reason.UNREACHABLE] > 5)
    pods.stop()
    assert (pods.relists, pods._version, set(pods.pods())) == (1, "10", {UID})


def test_waits_grow_and_a_short_watch_counts_as_a_fault() -> None:
    """No busy loop, whatever the server does; a watch of usual length is followed by the next at once."""
    pods, _ = watch(objects)
    pods._retry, pods._relist = Backoff(1, 60, lambda: 1.0), Backoff(5, 60, lambda: 1.0)
    assert [pods._pause_seconds(None, 0.1), pods._pause_seconds(ApiError(Reason.TIMEOUT), 5.0)] == [1.0, 2.0]
    assert pods._pause_seconds(ApiError(Reason.THROTTLED, retry_after_seconds=9), 5.0) == 13.0
    assert pods._pause_seconds(None, 400.0) == 0.0
    pods._version = "10"
    assert (pods._pause_seconds(ApiError(Reason.EXPIRED), 5.0), pods._version) == (5.0, "")
    assert pods._pause_seconds(ApiError(Reason.EXPIRED), 5.0) == 10.0


def test_silence_of_a_watch_is_no_fault() -> None:
    """A dead connection is left, and the next watch goes on from the same version."""
    pods, _ = watch(lambda path, query: [ApiError(Reason.TIMEOUT)] if "watch" in query else objects(path, query))
    pods._list()
    pods._watch()
    assert (pods.health.reachable, pods.health.errors[Reason.TIMEOUT]) == (True, 0)


@pytest.mark.parametrize("body", [{}, {"metadata": {}, "items": []}, {"metadata": []}])
def test_what_is_no_list_does_not_empty_the_snapshot(body: dict[str, object]) -> None:
    """A proxy that answers for the server."""
    pods, transport = watch(objects)
    pods._list()
    transport.answer = lambda path, query: body
    with pytest.raises(ApiError):
        pods._list()
    assert set(pods.pods()) == {UID}


def test_denial_is_told_and_survived() -> None:
    """403 on pods: no snapshot, and health says why; it recovers when the right is given."""
    pods, transport = watch(lambda path, query: ApiError(Reason.DENIED, status=403))
    pods.start()
    _wait_for(lambda: bool(pods.health.error))
    assert (pods.health.reachable, pods.health.error, dict(pods.pods())) == (False, "denied 403", {})
    transport.answer = lambda path, query: [] if "watch" in query else objects(path, query)
    _wait_for(lambda: UID in pods.pods())
    pods.stop()
    assert pods.health.reachable


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)
