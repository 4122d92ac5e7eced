"""
Which resource a call belongs to: the workload that made it, never the agent that saw it.

Names: OpenTelemetry's semantic conventions for ``service.*``, ``k8s.*``, ``host.*`` and ``deployment.*``; what they have no name
for is ``podtab.*``.
"""

from __future__ import annotations

from agent.model import Workload
from agent.sinks.limits import clean

Resource = tuple[tuple[str, str], ...]
"""Sorted pairs: equal workloads have equal resources, and a resource can be a key."""

# Kinds that the conventions know; of any other, the name stands in service.name and the kind in podtab.workload.kind.
_KINDS = {
    "CronJob": "k8s.cronjob.name",
    "DaemonSet": "k8s.daemonset.name",
    "Deployment": "k8s.deployment.name",
    "Job": "k8s.job.name",
    "ReplicaSet": "k8s.replicaset.name",
    "StatefulSet": "k8s.statefulset.name",
}


def resource_of(workload: Workload) -> Resource:
    """Attributes of the workload; what is not known is left out, so that it is not a value."""
    in_cluster = bool(workload.pod or workload.pod_uid)
    attributes = {
        "service.name": workload.name,
        "service.namespace": workload.namespace,
        "service.instance.id": instance_of(workload),
        "k8s.cluster.name": workload.cluster,
        "k8s.node.name" if in_cluster else "host.name": workload.node,
        "k8s.namespace.name": workload.namespace,
        "k8s.pod.name": workload.pod,
        "k8s.pod.uid": workload.pod_uid,
        "k8s.container.name": workload.container,
        "deployment.environment.name": workload.environment,
        "podtab.workload.kind": workload.kind,
        "podtab.team": workload.team,
        "podtab.feature": workload.feature,
        "podtab.customer": workload.customer,
    }
    if workload.kind in _KINDS:
        attributes[_KINDS[workload.kind]] = workload.name
    return tuple(sorted((name, clean(value)) for name, value in attributes.items() if value))


def instance_of(workload: Workload) -> str:
    """
    One of a workload's instances, in the OpenTelemetry operator's form: namespace.pod.container.

    Without it, backends that know a series by its service alone would mix the counters of a Deployment's pods.
    """
    if workload.pod:
        return ".".join(part for part in (workload.namespace, workload.pod, workload.container) if part)
    return workload.pod_uid or ".".join(part for part in (workload.node, workload.name) if part)
