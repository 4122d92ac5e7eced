"""Attribution from memory: known pods, pods to come, the host's own processes, and what goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.attribution.attributor import Attributor
from agent.attribution.pods import Placed, Pod, guessed_owner, pod_from_json
from agent.attribution.settings import AttributionSettings
from tests.attribution.objects import PATH, SECOND_NS, UID, pod, priced, process

SETTINGS = AttributionSettings(hold_ns=10 * SECOND_NS, grace_ns=100 * SECOND_NS)


def placed(**more: object) -> Pod:
    made = pod_from_json(pod(**more))  # type: ignore[arg-type]
    assert made is not None
    return made


class Source:
    """Pods in a dictionary; ``answer`` is what place says beside the guessed owner."""

    def __init__(self, pods: dict[str, Pod], **answer: object) -> None:
        self.known = pods
        self.answer = answer
        self.asked = 0

    def pods(self) -> dict[str, Pod]:
        return self.known

    def find(self, uid: str) -> Pod | None:
        return self.known.get(uid)

    def place(self, pod: Pod) -> Placed:
        self.asked += 1
        return Placed(pod=pod, owner=guessed_owner(pod), **self.answer)  # type: ignore[arg-type]


def test_a_known_pod_is_named_also_after_its_process_died() -> None:
    """The group was learned while it lived; no file of the dead process is needed."""
    attributor = Attributor(SETTINGS, Source({UID: placed()}))
    attributor.learn(process())
    entry = attributor.attribute(priced(), 0)
    assert entry is not None
    assert (entry.workload.kind, entry.workload.name, entry.workload.pod, entry.workload.container) == (
        "Deployment",
        "bot",
        "bot-7c9d8f6b54-x2k8q",
        "app",
    )


def test_a_call_that_is_held_is_named_although_its_process_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway's other end is waited for longer than a client lives: it is met when its call ends."""
    alive = True
    monkeypatch.setattr("agent.attribution.attributor.cgroup_path_of_pid", lambda _: PATH if alive else "")
    attributor = Attributor(SETTINGS, Source({UID: placed()}))
    attributor.meet(priced().call)
    alive = False
    entry = attributor.attribute(priced(), 0)
    assert entry is not None
    assert (entry.workload.kind, entry.workload.name) == ("Deployment", "bot")


def test_a_call_before_its_pods_object_is_held_and_then_named() -> None:
    """Not lost, not misnamed."""
    pods: dict[str, Pod] = {}
    attributor = Attributor(SETTINGS, Source(pods))
    attributor.learn(process())
    assert attributor.attribute(priced(), 0) is None
    assert list(attributor.release(SECOND_NS)) == []
    pods[UID] = placed()
    (entry,) = attributor.release(2 * SECOND_NS)
    assert entry.workload.name == "bot"
    assert attributor.held_calls == 0


def test_a_call_whose_pod_never_comes_is_let_go_as_unknown() -> None:
    """After the bounded time, with the pod's uid, and counted."""
    attributor = Attributor(SETTINGS, Source({}))
    attributor.learn(process())
    assert attributor.attribute(priced(), 0) is None
    (entry,) = attributor.release(SETTINGS.hold_ns)
    assert (entry.workload.kind, entry.workload.pod_uid) == ("Unknown", UID)
    assert attributor.doubts["pod_late"] == 1


def test_held_calls_are_bounded() -> None:
    """Beyond the bound a call is let go at once, not dropped."""
    attributor = Attributor(SETTINGS, Source({}))
    attributor.learn(process())
    held = sum(attributor.attribute(priced(), 0) is None for _ in range(25_000))
    assert held == attributor.held_calls < 25_000
    assert attributor.doubts["pod_late"] == 25_000 - held


def test_without_a_source_of_pods_nothing_is_held() -> None:
    """The uid is all there is."""
    attributor = Attributor(SETTINGS, None)
    attributor.learn(process())
    entry = attributor.attribute(priced(), 0)
    assert entry is not None
    assert (entry.workload.kind, entry.workload.pod_uid) == ("Unknown", UID)


def test_the_hosts_own_processes_have_names_too() -> None:
    """A unit, else a process, else unknown."""
    attributor = Attributor(SETTINGS, Source({}))
    attributor.learn(process("/system.slice/app.service", cgroup_id=1, pid=10))
    attributor.learn(process("/user.slice/session-1.scope", cgroup_id=2, pid=11, name="python3"))
    gone = 2**22 + 5
    named = [attributor.attribute(priced(group, pid), 0) for group, pid in ((1, 10), (2, 11), (2**62, gone))]
    assert [(entry.workload.kind, entry.workload.name) for entry in named if entry] == [
        ("SystemdUnit", "app.service"),
        ("Process", "python3"),
        ("Unknown", "unknown"),
    ]


def test_a_deleted_pod_is_remembered_for_a_while_and_told_once() -> None:
    """Late calls still have its name; then its series may go."""
    pods = {UID: placed()}
    attributor = Attributor(SETTINGS, Source(pods))
    attributor.learn(process())
    attributor.attribute(priced(), 0)
    pods.clear()
    assert attributor.deleted_pods(0) == []
    late = attributor.attribute(priced(), SECOND_NS)
    assert late is not None
    assert late.workload.pod == "bot-7c9d8f6b54-x2k8q"
    assert attributor.deleted_pods(SETTINGS.grace_ns) == [("shop", "bot-7c9d8f6b54-x2k8q")]
    assert attributor.deleted_pods(SETTINGS.grace_ns + 1) == []


def test_a_pod_that_comes_again_under_its_name_keeps_its_series() -> None:
    """A StatefulSet's."""
    other = "99999999-2222-3333-4444-555555555555"
    pods = {UID: placed(name="db-0", owner=("StatefulSet", "db"))}
    attributor = Attributor(SETTINGS, Source(pods))
    attributor.learn(process())
    attributor.attribute(priced(), 0)
    pods.clear()
    pods[other] = placed(name="db-0", uid=other, owner=("StatefulSet", "db"))
    attributor.deleted_pods(0)
    assert attributor.deleted_pods(SETTINGS.grace_ns) == []


def test_selection_can_ask_for_a_pods_labels() -> None:
    """Without changing what is remembered."""
    attributor = Attributor(SETTINGS, Source({UID: placed()}))
    found = attributor.labels_of(PATH)
    assert found is not None
    assert found.namespace == "shop"
    assert attributor.labels_of("/system.slice/a.service") is None


def test_what_is_remembered_is_bounded() -> None:
    """A node that starts processes for ever."""
    attributor = Attributor(SETTINGS, None)
    for number in range(20_000):
        attributor.learn(process(f"/system.slice/{number}.service", cgroup_id=number + 1, pid=number))
    assert len(attributor._names) <= 16_384
    assert len(attributor._paths) <= 16_384


def test_a_call_waits_for_its_owner_and_no_longer() -> None:
    """A pending owner holds the call; what comes in time is used, without doubt."""
    source = Source({UID: placed()}, pending=True, doubt="owner_late")
    attributor = Attributor(SETTINGS, source)
    attributor.learn(process())
    assert attributor.attribute(priced(), 0) is None
    assert list(attributor.release(SECOND_NS)) == []
    source.answer = {}
    (entry,) = attributor.release(2 * SECOND_NS)
    assert (entry.workload.kind, entry.workload.name) == ("Deployment", "bot")
    assert set(attributor.doubts.values()) == {0}


def test_an_owner_that_does_not_come_is_derived_and_that_is_counted() -> None:
    """By the reason, once a call; a refusal is not waited for."""
    source = Source({UID: placed()}, pending=True, doubt="owner_late")
    attributor = Attributor(SETTINGS, source)
    attributor.learn(process())
    assert attributor.attribute(priced(), 0) is None
    (entry,) = attributor.release(SETTINGS.hold_ns)
    assert (entry.workload.kind, entry.workload.name) == ("Deployment", "bot")
    source.answer = {"doubt": "owner_denied"}
    assert attributor.attribute(priced(), SETTINGS.hold_ns) is not None
    assert {doubt: number for doubt, number in attributor.doubts.items() if number} == {
        "owner_late": 1,
        "owner_denied": 1,
    }


def test_selection_asks_the_server_for_nothing() -> None:
    """It looks at every process of the node; owners are for those that speak to models."""
    source = Source({UID: placed()})
    attributor = Attributor(SETTINGS, source)
    attributor.labels_of(PATH)
    attributor.workload_of(process())
    assert source.asked == 0


def test_a_process_is_named_without_a_call() -> None:
    """For coverage: by its pod, also a deleted one; else by its unit or its name; nothing is remembered of the question."""
    source = Source({UID: placed()})
    attributor = Attributor(SETTINGS, source)
    named = attributor.workload_of(process())
    assert (named.kind, named.name, named.container) == ("Deployment", "bot", "app")
    source.known = {}
    assert attributor.workload_of(process()).kind == "Unknown"
    unit = replace(process(), cgroup_path="/system.slice/web.service")
    assert (attributor.workload_of(unit).kind, attributor.workload_of(unit).name) == ("SystemdUnit", "web.service")
    bare = replace(process(), cgroup_path="/", name="agentd")
    assert (attributor.workload_of(bare).kind, attributor.workload_of(bare).name) == ("Process", "agentd")
