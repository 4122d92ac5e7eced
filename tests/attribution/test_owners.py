"""Owners and namespaces on demand: once, kept, bounded, and what a failure costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.attribution import owners
from agent.attribution.api_health import ApiHealth, Resource
from agent.attribution.owners import Key, Objects, namespace_key, owner_key
from agent.attribution.pods import Json, pod_from_json
from agent.attribution.transport import ApiError, Reason
from tests.attribution.objects import pod

KEY = Key(resource=Resource.OWNER, path="/apis/apps/v1/namespaces/shop/replicasets/bot-1", uid="u-1")
OWNED = {"metadata": {"uid": "u-1", "ownerReferences": [{"kind": "Deployment", "name": "bot", "controller": True}]}}


class Server:
    """Answers by a function of path and query; keeps what it was asked."""

    def __init__(self, answer: Callable[[str, dict[str, str]], Json]) -> None:
        self.answer = answer
        self.asked: list[dict[str, str]] = []

    def get(self, path: str, query: dict[str, str], *, seconds: float, metadata_only: bool) -> Json:
        assert metadata_only
        self.asked.append(query)
        return self.answer(path, query)


def failing(reason: Reason) -> Callable[[str, dict[str, str]], Json]:
    def answer(path: str, query: dict[str, str]) -> Json:
        raise ApiError(reason)

    return answer


class Kept:
    """Objects with a clock in hand and no threads: ``work`` does what the workers would."""

    def __init__(self, answer: Callable[[str, dict[str, str]], Json]) -> None:
        self.server = Server(answer)
        self.now = 1000.0
        self.health = ApiHealth(lambda: self.now)
        self.objects = Objects(self.server, self.health, patience_seconds=10, clock=lambda: self.now)  # type: ignore[arg-type]

    def work(self) -> None:
        while not self.objects._queue.empty():
            self.objects.fetch(self.objects._queue.get_nowait())


def test_an_owner_is_asked_for_once_and_from_the_servers_memory() -> None:
    """However many calls want it."""
    kept = Kept(lambda path, query: OWNED)
    first = [kept.objects.ask(KEY) for _ in range(50)][-1]
    assert (first.pending, first.found) == (True, None)
    kept.work()
    answer = kept.objects.ask(KEY)
    kept.work()
    assert answer.found is not None
    assert answer.found.controller is not None
    assert (answer.pending, answer.missing, answer.found.controller.name) == (False, "", "bot")
    assert kept.server.asked == [{"resourceVersion": "0"}]


def test_what_is_old_is_renewed_and_in_use_meanwhile() -> None:
    """Also when it can't be renewed: who owned the pod does not change because the owner was deleted."""
    kept = Kept(lambda path, query: OWNED)
    kept.objects.ask(KEY)
    kept.work()
    kept.now += 5000
    kept.server.answer = failing(Reason.NOT_FOUND)
    for _ in range(2):
        answer = kept.objects.ask(KEY)
        kept.work()
        assert (answer.found is not None, answer.pending) == (True, False)
    assert len(kept.server.asked) == 3  # one, then once from memory and once for certain


@pytest.mark.parametrize(
    ("reason", "missing"), [(Reason.DENIED, "denied"), (Reason.NOT_FOUND, "gone"), (Reason.TIMEOUT, "late")]
)
def test_a_failure_is_remembered_and_not_waited_for(reason: Reason, missing: str) -> None:
    """It is repeated after a while, not for every call."""
    kept = Kept(failing(reason))
    kept.objects.ask(KEY)
    kept.work()
    asked = len(kept.server.asked)
    answer = [kept.objects.ask(KEY) for _ in range(20)][-1]
    kept.work()
    assert (answer.pending, answer.missing) == (False, missing)
    assert kept.health.errors[reason] >= 1
    kept.now += 1000
    kept.server.answer = lambda path, query: OWNED
    kept.objects.ask(KEY)
    kept.work()
    assert kept.objects.ask(KEY).found is not None
    assert len(kept.server.asked) - asked <= 3


def test_a_slow_server_is_waited_for_a_bounded_time() -> None:
    """Pending ends by itself, also if no answer ever comes."""
    kept = Kept(lambda path, query: OWNED)
    assert kept.objects.ask(KEY).pending
    kept.now += 10
    answer = kept.objects.ask(KEY)
    assert (answer.pending, answer.missing) == (False, "late")


def test_a_server_whose_memory_is_behind_is_asked_for_certain() -> None:
    """A new ReplicaSet is not taken for a deleted one."""

    def answer(path: str, query: dict[str, str]) -> Json:
        if query:
            raise ApiError(Reason.NOT_FOUND)
        return OWNED

    kept = Kept(answer)
    kept.objects.ask(KEY)
    kept.work()
    assert kept.objects.ask(KEY).found is not None


def test_another_object_of_the_name_is_not_the_owner() -> None:
    """A Job made again under its name."""
    kept = Kept(lambda path, query: {"metadata": {"uid": "u-2"}})
    kept.objects.ask(KEY)
    kept.work()
    assert kept.objects.ask(KEY).missing == "gone"


def test_memory_and_queue_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever number of owners is asked for; what did not fit is asked for again later."""
    monkeypatch.setattr(owners, "_MAX_KEPT", 10)
    kept = Kept(lambda path, query: {"metadata": {}})
    for number in range(owners._MAX_QUEUED + 50):
        kept.objects.ask(Key(resource=Resource.NAMESPACE, path=f"/api/v1/namespaces/{number}"))
    assert (kept.objects.kept, kept.objects._queue.full()) == (10, True)
    kept.work()
    last = Key(resource=Resource.NAMESPACE, path=f"/api/v1/namespaces/{owners._MAX_QUEUED + 49}")
    kept.objects.ask(last)
    kept.work()
    assert kept.objects.ask(last).found is not None


def test_keys_of_pods() -> None:
    """Only ReplicaSets and Jobs can have an owner of their own; all pods have a namespace."""
    by_kind = {}
    for kind in ("ReplicaSet", "Job", "StatefulSet", "DaemonSet"):
        made = pod_from_json(pod(owner=(kind, "x")))
        assert made is not None
        key = owner_key(made)
        by_kind[kind] = key.path if key else ""
        assert namespace_key(made).path == "/api/v1/namespaces/shop"
    assert by_kind == {
        "ReplicaSet": "/apis/apps/v1/namespaces/shop/replicasets/x",
        "Job": "/apis/batch/v1/namespaces/shop/jobs/x",
        "StatefulSet": "",
        "DaemonSet": "",
    }
