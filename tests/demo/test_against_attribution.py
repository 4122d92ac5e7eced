"""The cast's cgroups and pod list through podtab's attribution, without a kernel: every pod gets the names that the demo expects."""

import json
from pathlib import Path

import pytest

from agent.attribution.podlist import PodListFile
from agent.attribution.settings import AttributionSettings
from agent.demo.pods import CAST, Pod, pod_list
from agent.host.containers import pod_of


@pytest.mark.parametrize("pod", CAST, ids=lambda pod: pod.name)
def test_cgroup_and_pod_list_name_the_workload(pod: Pod, tmp_path: Path) -> None:
    """Below the demo's own folder; owner, labels and container found from the list alone."""
    path = tmp_path / "pods.json"
    path.write_text(json.dumps(pod_list(CAST)))
    reference = pod_of(f"/podtab-demo-1/{pod.cgroup}")
    assert reference is not None
    source = PodListFile(path)
    found = source.find(reference.pod_uid)
    assert found is not None
    workload = source.place(found).workload(reference.container_id, AttributionSettings())
    assert f"{workload.kind}/{workload.name}" == pod.workload
    assert (workload.namespace, workload.pod, workload.container) == (pod.namespace, pod.name, "main")
    assert (workload.team, workload.feature, workload.environment) == (pod.team, pod.feature, pod.environment)
