"""Pods and their owners, from the API's objects."""

from __future__ import annotations

import pytest

from agent.attribution.pods import Owner, Placed, guessed_owner, pod_from_json
from agent.attribution.settings import AttributionSettings
from tests.attribution.objects import ID, pod


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (("ReplicaSet", "bot-7c9d8f6b54"), Owner(kind="Deployment", name="bot")),
        (("ReplicaSet", "made-by-hand"), Owner(kind="ReplicaSet", name="made-by-hand")),
        (("StatefulSet", "db"), Owner(kind="StatefulSet", name="db")),
        (("DaemonSet", "agent"), Owner(kind="DaemonSet", name="agent")),
        (("Job", "import-abc"), Owner(kind="Job", name="import-abc")),
        (("Job", "nightly-28912345"), Owner(kind="CronJob", name="nightly")),
        (("Workflow", "w1"), Owner(kind="Workflow", name="w1")),
        (("Node", "n1"), Owner(kind="Pod", name="bot-7c9d8f6b54-x2k8q")),
        (None, Owner(kind="Pod", name="bot-7c9d8f6b54-x2k8q")),
    ],
)
def test_owners_without_their_own_objects(owner: tuple[str, str] | None, expected: Owner) -> None:
    """What the pod itself gives away; unknown kinds are named as they are."""
    made = pod_from_json(pod(owner=owner))
    assert made is not None
    assert guessed_owner(made) == expected


def test_labels_go_before_annotations_and_those_before_the_namespaces() -> None:
    """And within one source the first configured name wins."""
    made = pod_from_json(pod(labels={"team": "b", "podtab.io/team": "a"}, annotations={"podtab.io/feature": "search"}))
    assert made is not None
    placed = Placed(
        pod=made, owner=guessed_owner(made), namespace_labels={"podtab.io/feature": "no", "environment": "prod"}
    )
    workload = placed.workload(ID, AttributionSettings(cluster="c", node="n"))
    assert (workload.team, workload.feature, workload.environment, workload.customer) == ("a", "search", "prod", "")
    assert (workload.container, workload.cluster, workload.node) == ("app", "c", "n")


def test_every_kind_of_container_is_known_also_one_that_restarted() -> None:
    """Init, ephemeral, and the id before the last restart."""
    item = pod()
    item["status"] = {
        "initContainerStatuses": [{"name": "init", "containerID": "containerd://i"}],
        "ephemeralContainerStatuses": [{"name": "debug", "containerID": "cri-o://e"}],
        "containerStatuses": [
            {"name": "app", "containerID": "docker://new", "lastState": {"terminated": {"containerID": "docker://old"}}}
        ],
    }
    made = pod_from_json(item)
    assert made is not None
    assert dict(made.containers) == {"i": "init", "e": "debug", "new": "app", "old": "app"}


def test_a_static_pod_is_known_by_its_cgroups_uid() -> None:
    """Its mirror object has another one."""
    made = pod_from_json(
        pod(owner=("Node", "n"), annotations={"kubernetes.io/config.mirror": "0123456789abcdef0123456789abcdef"})
    )
    assert made is not None
    assert made.mirror_uid == "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"metadata": []},
        {"metadata": {"name": 1, "uid": "x", "namespace": "y"}},
        {"metadata": {"name": "a", "uid": "b", "namespace": "c", "labels": [1], "ownerReferences": [3]}, "status": 5},
    ],
)
def test_odd_objects_raise_nothing(item: dict[str, object]) -> None:
    """A pod, or None."""
    pod_from_json(item)
