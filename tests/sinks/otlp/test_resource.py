"""Workloads as resources."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model import Workload
from agent.sinks.otlp.resource import instance_of, resource_of
from tests.sinks.entries import WEB

POD = replace(WEB, cluster="prod-1", node="node-7", pod_uid="u-1", container="app")


def test_a_pod_has_the_conventions_names() -> None:
    """Every fact of a pod stands under OpenTelemetry's name for it."""
    assert dict(resource_of(POD)) == {
        "service.name": "web",
        "service.namespace": "shop",
        "service.instance.id": "shop.web-1.app",
        "k8s.cluster.name": "prod-1",
        "k8s.node.name": "node-7",
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "web-1",
        "k8s.pod.uid": "u-1",
        "k8s.container.name": "app",
        "k8s.deployment.name": "web",
        "deployment.environment.name": "prod",
        "podtab.workload.kind": "Deployment",
        "podtab.team": "a-team",
        "podtab.feature": "search",
    }


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet"])
def test_owners_by_kind(kind: str) -> None:
    """Each kind that the conventions know has its own attribute."""
    assert dict(resource_of(replace(POD, kind=kind)))[f"k8s.{kind.lower()}.name"] == "web"


def test_without_a_pod() -> None:
    """A process of the machine has a host, no node of a cluster, and no attribute is empty."""
    found = dict(resource_of(Workload(kind="Process", name="python3", node="box")))
    assert found == {
        "service.name": "python3",
        "service.instance.id": "box.python3",
        "host.name": "box",
        "podtab.workload.kind": "Process",
    }
    assert instance_of(Workload(kind="Unknown", name="unknown", pod_uid="u-9")) == "u-9"


def test_hostile_names_are_bounded() -> None:
    """A label of a megabyte with a line feed is neither."""
    team = dict(resource_of(replace(POD, team="x\n" * 10**6)))["podtab.team"]
    assert len(team) == 128
    assert team.isprintable()
