"""Attribution against a real API server: owners, labels, this node only, absence, and the rights that the chart gives."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from agent.attribution.attributor import Attributor
from agent.attribution.kubernetes_api import PodWatch
from agent.attribution.settings import AttributionSettings
from agent.attribution.transport import connect
from tests.attribution.objects import priced, process
from tests.cluster.api_server import AGENT, ApiServer

pytestmark = [
    pytest.mark.cluster,
    # A watch ends with its process: the socket of one that a test leaves behind is closed by nobody.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ID = "c0ffee" + "0" * 58
NODE = "node-1"
CONTAINER = [{"name": "app", "image": "example/app"}]


class Cluster:
    """Makes the objects that controllers would make."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def make(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.server.call("POST", path, body)  # type: ignore[no-any-return]

    def namespace(self, name: str, **metadata: Any) -> None:
        self.make("/api/v1/namespaces", {"metadata": {"name": name, **metadata}})

    def pod(self, namespace: str, name: str, owner: dict[str, Any] | None, node: str = NODE, **metadata: Any) -> str:
        """A pod on a node with one started container; its uid."""
        references = (
            [
                {
                    "apiVersion": owner["apiVersion"],
                    "kind": owner["kind"],
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                }
            ]
            if owner
            else []
        )
        body = {
            "metadata": {"name": name, "ownerReferences": references, **metadata},
            "spec": {"nodeName": node, "containers": CONTAINER},
        }
        made = self.make(f"/api/v1/namespaces/{namespace}/pods", body)
        status = {
            "containerStatuses": [
                {
                    "name": "app",
                    "image": "x",
                    "imageID": "x",
                    "ready": True,
                    "restartCount": 0,
                    "containerID": f"containerd://{ID}",
                }
            ]
        }
        self.server.call("PATCH", f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": status})
        return str(made["metadata"]["uid"])

    def owner(
        self, group: str, plural: str, kind: str, namespace: str, name: str, of: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": CONTAINER}}
        selector = {"matchLabels": {"app": name}}
        spec: dict[str, Any] = {"selector": selector, "template": template}
        if kind in ("Job", "CronJob"):
            template["spec"]["restartPolicy"] = "Never"  # type: ignore[index]
            spec = (
                {"template": template}
                if kind == "Job"
                else {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}}
            )
        if kind == "StatefulSet":
            spec["serviceName"] = name
        metadata: dict[str, Any] = {"name": name}
        if of:
            metadata["ownerReferences"] = [
                {
                    "apiVersion": of["apiVersion"],
                    "kind": of["kind"],
                    "name": of["metadata"]["name"],
                    "uid": of["metadata"]["uid"],
                    "controller": True,
                }
            ]
        made = self.make(f"/apis/{group}/v1/namespaces/{namespace}/{plural}", {"metadata": metadata, "spec": spec})
        return {"apiVersion": f"{group}/v1", "kind": kind, **made}


@pytest.fixture
def cluster(server: ApiServer) -> Cluster:
    return Cluster(server)


@pytest.fixture
def watch(server: ApiServer) -> Iterator[PodWatch]:
    pods = PodWatch(partial(connect, kubeconfig=str(server.kubeconfig)), NODE)
    pods.start()
    wait_for(pods.synced.is_set)
    yield pods
    pods.stop()


def wait_for(condition: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def named(watch: PodWatch, uid: str) -> tuple[str, str, str, str, str]:
    """Kind, name, pod, container and team of a call from the pod's container."""
    wait_for(lambda: uid in watch.pods() and watch.pods()[uid].containers)
    attributor = Attributor(AttributionSettings(), watch)
    attributor.learn(process(f"/kubepods/burstable/pod{uid}/{ID}"))
    entries = [attributor.attribute(priced(), 0)]
    # Held until its owner is there: asked for now, fetched by another thread.
    wait_for(lambda: entries[-1] or entries.extend(attributor.release(1)) or entries[-1])
    entry = entries[-1]
    assert entry is not None
    workload = entry.workload
    return workload.kind, workload.name, workload.pod, workload.container, workload.team


def test_owners_are_followed_to_the_end(cluster: Cluster, watch: PodWatch) -> None:
    """Deployment by its ReplicaSet, CronJob by its Job, and those that own pods themselves; team from pod and namespace."""
    cluster.namespace("shop", annotations={"podtab.io/team": "payments"})
    deployment = cluster.owner("apps", "deployments", "Deployment", "shop", "bot")
    replicas = cluster.owner("apps", "replicasets", "ReplicaSet", "shop", "bot-odd-name", of=deployment)
    cron = cluster.owner("batch", "cronjobs", "CronJob", "shop", "nightly")
    cron_job = cluster.owner("batch", "jobs", "Job", "shop", "nightly-x", of=cron)
    job = cluster.owner("batch", "jobs", "Job", "shop", "import")
    stateful = cluster.owner("apps", "statefulsets", "StatefulSet", "shop", "db")
    uids = {
        "bot-1": cluster.pod("shop", "bot-1", replicas),
        "nightly-1": cluster.pod("shop", "nightly-1", cron_job),
        "import-1": cluster.pod("shop", "import-1", job),
        "db-0": cluster.pod("shop", "db-0", stateful, labels={"team": "storage"}),
        "alone": cluster.pod("shop", "alone", None),
    }
    assert {name: named(watch, uid) for name, uid in uids.items()} == {
        "bot-1": ("Deployment", "bot", "bot-1", "app", "payments"),
        "nightly-1": ("CronJob", "nightly", "nightly-1", "app", "payments"),
        "import-1": ("Job", "import", "import-1", "app", "payments"),
        "db-0": ("StatefulSet", "db", "db-0", "app", "storage"),
        "alone": ("Pod", "alone", "alone", "app", "payments"),
    }


def test_another_nodes_pods_are_not_seen(cluster: Cluster, watch: PodWatch) -> None:
    """5,000 nodes times all pods would be too much for any server."""
    cluster.namespace("nodes")
    elsewhere = cluster.pod("nodes", "elsewhere", None, node="node-2")
    here = cluster.pod("nodes", "here", None)
    wait_for(lambda: here in watch.pods())
    assert elsewhere not in watch.pods()


def test_a_deleted_pod_leaves_the_snapshot(cluster: Cluster, watch: PodWatch) -> None:
    """By a watch event."""
    cluster.namespace("going")
    uid = cluster.pod("going", "short", None)
    wait_for(lambda: uid in watch.pods())
    cluster.server.call("DELETE", "/api/v1/namespaces/going/pods/short?gracePeriodSeconds=0")
    wait_for(lambda: uid not in watch.pods())


def test_the_chart_gives_what_is_needed_and_no_more(server: ApiServer) -> None:
    """Reading pods works; secrets, and changing anything, do not."""
    assert "items" in server.call("GET", "/api/v1/pods", token=AGENT)
    for method, path in (
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/nodes"),
        ("DELETE", "/api/v1/namespaces/default/pods/x"),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.call(method, path, token=AGENT)
        refused.value.close()
        assert refused.value.code == 403


def test_a_server_that_stops_and_comes_back(cluster: Cluster, watch: PodWatch) -> None:
    """Named from what is known while it is away, which is told; afterwards the new pod is there too."""
    cluster.namespace("life")
    uid = cluster.pod("life", "before", None)
    wait_for(lambda: uid in watch.pods())
    cluster.server.stop()
    try:
        wait_for(lambda: not watch.health.reachable)
        assert named(watch, uid)[2] == "before"
        assert watch.health.error
    finally:
        cluster.server.start()
    later = cluster.pod("life", "after", None)
    wait_for(lambda: later in watch.pods(), seconds=150)
    assert (watch.health.reachable, watch.health.error) == (True, "")
