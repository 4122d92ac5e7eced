"""The demo's cast."""

import re
import uuid
from dataclasses import replace

from agent.demo.pods import CAST, pod_list
from agent.demo.sdks import WORKLOADS


def test_every_pod_has_identities_of_its_own() -> None:
    """Also next to a second demo on the same machine."""
    both = [*CAST, *(replace(pod, run="2") for pod in CAST)]
    assert len({pod.uid for pod in both}) == len({pod.cgroup for pod in both}) == len(both)
    assert all(str(uuid.UUID(pod.uid)) == pod.uid for pod in both)


def test_cgroups_are_named_as_the_kubelet_names_them() -> None:
    """The systemd driver: slices nested by prefix, dashes of the uid as underscores."""
    pattern = re.compile(
        r"kubepods\.slice/kubepods-burstable\.slice/kubepods-burstable-pod[0-9a-f]{8}(_[0-9a-f]{4}){3}_[0-9a-f]{12}\.slice/"
        r"cri-containerd-[0-9a-f]{64}\.scope"
    )
    assert all(pattern.fullmatch(pod.cgroup) for pod in CAST)


def test_the_list_leads_from_container_to_owner() -> None:
    """What attribution needs: uid, container id, controller, labels."""
    items = pod_list(CAST)["items"]
    for pod, item in zip(CAST, items, strict=True):
        assert item["metadata"]["uid"] == pod.uid
        assert item["status"]["containerStatuses"][0]["containerID"].endswith(pod.container_id)
        assert item["metadata"]["labels"]["team"] == pod.team
        assert bool(item["metadata"].get("ownerReferences")) == bool(pod.owner)


def test_the_cast_covers_what_the_demo_promises() -> None:
    """Every script plays, several teams, two namespaces, and the usual kinds of owners."""
    scripts = {path.name for path in WORKLOADS.iterdir() if path.suffix in (".py", ".cjs")}
    assert {pod.script for pod in CAST} == scripts
    assert len({pod.namespace for pod in CAST}) == 2
    assert {pod.workload.partition("/")[0] for pod in CAST} >= {"Deployment", "StatefulSet", "Job", "Pod"}
