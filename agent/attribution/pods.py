"""
Pods as attribution needs them: small, immutable, by uid.

One form for all sources: the JSON objects of the API, from a watch or from a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agent.attribution.settings import AttributionSettings
from agent.model import Workload

Json = Mapping[str, object]

# No team's name is this long; the annotation that holds the last applied manifest is, for every pod.
_MAX_VALUE_CHARS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """``kind`` and name of who a pod belongs to in the end."""

    kind: str
    name: str
    uid: str = field(default="", compare=False)
    """As the owner reference has it: another object of the same name is another owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    uid: str
    namespace: str
    name: str
    controller: Owner | None
    """The direct one: a ReplicaSet, a Job …"""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    containers: Mapping[str, str]
    """Container id → name."""
    mirror_uid: str = ""
    """Of a static pod: the uid that its cgroup carries."""

    @property
    def cgroup_uid(self) -> str:
        return self.mirror_uid or self.uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A pod with what had to be fetched for it."""

    pod: Pod
    owner: Owner
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    pending: bool = False
    """What was asked for may still come: worth a short wait."""
    doubt: str = ""
    """
    Why the names are not certain; "" when they are.  A closed set: ``owner_late owner_denied owner_gone`` (derived from names),
    ``namespace_late namespace_denied namespace_gone`` (its labels are missing), ``no_api_server`` (a PodList file).
    """

    def workload(self, container_id: str, settings: AttributionSettings) -> Workload:
        pod = self.pod
        return Workload(
            cluster=settings.cluster,
            node=settings.node,
            namespace=pod.namespace,
            kind=self.owner.kind,
            name=self.owner.name,
            pod=pod.name,
            pod_uid=pod.uid,
            container=pod.containers.get(container_id, ""),
            team=self._first(settings.team),
            feature=self._first(settings.feature),
            customer=self._first(settings.customer),
            environment=self._first(settings.environment),
        )

    def _first(self, names: Iterable[str]) -> str:
        sources = (self.pod.labels, self.pod.annotations, self.namespace_labels)
        return next((value for source in sources for name in names if (value := source.get(name))), "")


class PodSource(Protocol):
    """Where pods come from.  For several threads; nothing here waits."""

    def pods(self) -> Mapping[str, Pod]:
        """This node's pods by the uid that their cgroups carry.  Never changed in place."""

    def find(self, uid: str) -> Pod | None:
        """One of them, or one that has not been gone for long."""

    def place(self, pod: Pod) -> Placed:
        """Its owner and namespace as far as they are known; what is not known is asked for."""


def pod_from_json(item: Json) -> Pod | None:
    """None for what is not a pod's object."""
    metadata = _mapping(item.get("metadata"))
    uid, name, namespace = metadata.get("uid"), metadata.get("name"), metadata.get("namespace")
    if not (isinstance(uid, str) and isinstance(name, str) and isinstance(namespace, str)):
        return None
    annotations = _strings(metadata.get("annotations"))
    return Pod(
        uid=uid,
        namespace=namespace,
        name=name,
        controller=controller_of(metadata),
        labels=_strings(metadata.get("labels")),
        annotations=annotations,
        containers=_containers(_mapping(item.get("status"))),
        mirror_uid=annotations.get("kubernetes.io/config.mirror", annotations.get("kubernetes.io/config.hash", "")),
    )


def controller_of(metadata: Json) -> Owner | None:
    """The owner reference that is marked as controller, else the first one."""
    references = metadata.get("ownerReferences")
    if not isinstance(references, list) or not references:
        return None
    reference = next((one for one in references if _mapping(one).get("controller") is True), references[0])
    kind, name, uid = (_mapping(reference).get(key) for key in ("kind", "name", "uid"))
    if not (isinstance(kind, str) and isinstance(name, str)):
        return None
    return Owner(kind=kind, name=name, uid=uid if isinstance(uid, str) else "")


def labels_of(metadata: Json) -> dict[str, str]:
    """Labels and annotations in one; of the same name the annotation wins."""
    return {**_strings(metadata.get("labels")), **_strings(metadata.get("annotations"))}


def needs_owner(pod: Pod) -> bool:
    """Whether the pod's controller may have a controller of its own, which only the controller's object tells."""
    return pod.controller is not None and pod.controller.kind in ("ReplicaSet", "Job")


def guessed_owner(pod: Pod) -> Owner:
    """
    Without the owner's own object: a ReplicaSet's name is its Deployment's and the pod template's hash, which the pod carries as
    a label; a CronJob's Job is named with the minute it was due.  Everything else is what the pod says.
    """
    controller = pod.controller
    if controller is None:
        return Owner(kind="Pod", name=pod.name)
    template_hash = pod.labels.get("pod-template-hash", "")
    if controller.kind == "ReplicaSet" and template_hash and controller.name.endswith(f"-{template_hash}"):
        return Owner(kind="Deployment", name=controller.name.removesuffix(f"-{template_hash}"))
    if controller.kind == "Job":
        name, _, minute = controller.name.rpartition("-")
        if name and minute.isdigit() and len(minute) >= 8:
            return Owner(kind="CronJob", name=name)
    if controller.kind == "Node":
        return Owner(kind="Pod", name=pod.name)  # a static pod's mirror
    return controller


def _containers(status: Json) -> dict[str, str]:
    names: dict[str, str] = {}
    for group in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        statuses = status.get(group)
        for one in statuses if isinstance(statuses, list) else ():
            state = _mapping(one)
            name = state.get("name")
            last = _mapping(_mapping(state.get("lastState")).get("terminated")).get("containerID")
            for identifier in (state.get("containerID"), last):
                if isinstance(identifier, str) and isinstance(name, str):
                    names[identifier.rpartition("/")[2]] = name
    return names


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> dict[str, str]:
    return {
        key: text for key, text in _mapping(value).items() if isinstance(text, str) and len(text) <= _MAX_VALUE_CHARS
    }
