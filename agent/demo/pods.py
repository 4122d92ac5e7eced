"""
The demo's cast: pods of two namespaces and several teams, which process each runs, and the names the kubelet would give.

The PodList made here is what ``kubectl get pods -A -o json`` prints, as far as attribution reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    namespace: str
    name: str
    owner_kind: str
    """Of the controller as the API server names it: a Deployment's pods are owned by a ReplicaSet."""
    owner: str
    workload: str
    """Kind and name that podtab is expected to show."""
    team: str
    feature: str = ""
    environment: str
    script: str
    """In agent/demo/workloads."""
    steps: tuple[str, ...]
    run: str = ""
    """Which run of the demo it belongs to: two runs on one machine must not share pods."""

    @property
    def uid(self) -> str:
        digest = self._digest()
        return "-".join((digest[:8], digest[8:12], "4" + digest[13:16], "8" + digest[17:20], digest[20:32]))

    @property
    def container_id(self) -> str:
        return self._digest()

    @property
    def cgroup(self) -> str:
        """Below the cgroup root, as the kubelet's systemd driver and containerd name it."""
        uid = self.uid.replace("-", "_")
        return (
            "kubepods.slice/kubepods-burstable.slice/"
            f"kubepods-burstable-pod{uid}.slice/cri-containerd-{self.container_id}.scope"
        )

    @property
    def key(self) -> str:
        """What the fake provider books it under: the pod's API keys end with it."""
        return self.name

    def _digest(self) -> str:
        return hashlib.sha256(f"{self.run}/{self.namespace}/{self.name}".encode()).hexdigest()


CAST = (
    Pod(
        namespace="shop",
        name="checkout-assistant-7c9d8f6b54-x2k8q",
        owner_kind="ReplicaSet",
        owner="checkout-assistant-7c9d8f6b54",
        workload="Deployment/checkout-assistant",
        team="payments",
        feature="assistant",
        environment="prod",
        script="openai_sync.py",
        steps=("chat", "stream", "responses", "responses_stream", "embeddings", "tools"),
    ),
    Pod(
        namespace="shop",
        name="search-indexer-6hw2v",
        owner_kind="Job",
        owner="search-indexer",
        workload="Job/search-indexer",
        team="search",
        environment="prod",
        script="openai_async.py",
        steps=("embeddings", "chat", "stream", "responses", "responses_stream", "embeddings"),
    ),
    Pod(
        namespace="shop",
        name="support-bot-5f4d7c9b8d-m4n7z",
        owner_kind="ReplicaSet",
        owner="support-bot-5f4d7c9b8d",
        workload="Deployment/support-bot",
        team="support",
        feature="answers",
        environment="prod",
        script="anthropic_sync.py",
        steps=("messages", "stream", "tools"),
    ),
    Pod(
        namespace="shop",
        name="inbox-triage-0",
        owner_kind="StatefulSet",
        owner="inbox-triage",
        workload="StatefulSet/inbox-triage",
        team="support",
        feature="triage",
        environment="prod",
        script="anthropic_async.py",
        steps=("messages", "stream", "messages", "stream"),
    ),
    Pod(
        namespace="shop",
        name="storefront-84b6d9c7f5-q9w2e",
        owner_kind="ReplicaSet",
        owner="storefront-84b6d9c7f5",
        workload="Deployment/storefront",
        team="web",
        feature="presents",
        environment="prod",
        script="openai_node.cjs",
        steps=("chat", "stream", "responses", "responses_stream", "embeddings", "parallel"),
    ),
    Pod(
        namespace="lab",
        name="forecast-6d5c8b7f94-t5r3e",
        owner_kind="ReplicaSet",
        owner="forecast-6d5c8b7f94",
        workload="Deployment/forecast",
        team="data",
        environment="staging",
        script="gemini_sync.py",
        steps=("generate", "stream"),
    ),
    Pod(
        namespace="lab",
        name="forecast-batch-1",
        owner_kind="StatefulSet",
        owner="forecast-batch",
        workload="StatefulSet/forecast-batch",
        team="data",
        environment="staging",
        script="gemini_async.py",
        steps=("generate", "stream", "generate", "stream"),
    ),
    Pod(
        namespace="lab",
        name="copywriter",
        owner_kind="",
        owner="",
        workload="Pod/copywriter",
        team="web",
        environment="staging",
        script="anthropic_node.cjs",
        steps=("messages", "stream"),
    ),
    Pod(
        namespace="lab",
        # "troubled": the fake refuses some of its first attempts.
        name="troubled-5c7d9f8b66-z8x6c",
        owner_kind="ReplicaSet",
        owner="troubled-5c7d9f8b66",
        workload="Deployment/troubled",
        team="data",
        environment="staging",
        script="openai_sync.py",
        steps=("chat", "silent_stream", "unlisted_model", "chat", "failing", "routed"),
    ),
)


def pod_list(pods: Sequence[Pod]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": [_pod(pod) for pod in pods]}


def _pod(pod: Pod) -> dict[str, Any]:
    labels = {"app": pod.workload.partition("/")[2], "team": pod.team, "environment": pod.environment}
    if pod.feature:
        labels["feature"] = pod.feature
    metadata: dict[str, Any] = {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid, "labels": labels}
    if pod.owner_kind == "ReplicaSet":
        labels["pod-template-hash"] = pod.owner.rpartition("-")[2]
    if pod.owner:
        group = "batch/v1" if pod.owner_kind == "Job" else "apps/v1"
        metadata["ownerReferences"] = [
            {"apiVersion": group, "kind": pod.owner_kind, "name": pod.owner, "uid": pod.uid, "controller": True}
        ]
    status = {"name": "main", "containerID": f"containerd://{pod.container_id}", "ready": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": "demo", "containers": [{"name": "main", "image": "demo/workload"}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }
