"""
A cgroup path → the pod and container, or the systemd unit, that it names.  Pure; anything else is None.

Seen forms: ``kubepods/burstable/pod<uid>/<id>`` (cgroupfs), ``kubepods-burstable-pod<uid_with_underscores>.slice/cri-containerd-<id>.scope``
(systemd; ``crio-``, ``docker-``), below any prefix (kind, nested runtimes), with groups of the container's own below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# A path deeper or longer than the kernel's PATH_MAX is not one.
_MAX_PATH = 4096
_POD = re.compile(
    r"(?:^|[-/])pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?=/|$)"
)
_CONTAINER = re.compile(r"/(?:[a-z-]+-)?([0-9a-f]{64})(?:\.scope)?(?=/|$)")
_UNIT = re.compile(r"/([^/]+\.service)(?=/|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRef:
    """A container of a pod; ``container_id`` "" for the pod's own group."""

    pod_uid: str
    container_id: str


def pod_of(path: str) -> PodRef | None:
    """The pod that a cgroup path names."""
    return _pod_of(path) if len(path) <= _MAX_PATH else None


# Asked for every call; a node has some hundred containers.
@lru_cache(maxsize=1024)
def _pod_of(path: str) -> PodRef | None:
    pods = list(_POD.finditer(path))
    if not pods:
        return None
    # The innermost: a node that is itself a container (kind) has its own pod path in front.
    pod = pods[-1]
    container = _CONTAINER.search(path, pod.end())
    return PodRef(pod_uid=pod[1].replace("_", "-"), container_id=container[1] if container else "")


def unit_of(path: str) -> str:
    """The systemd service that a cgroup path names, the innermost; "" where there is none."""
    if len(path) > _MAX_PATH:
        return ""
    units = _UNIT.findall(path)
    return units[-1] if units else ""


def best_path(proc_cgroup: str) -> str:
    """Of a /proc/PID/cgroup text: the path that names a pod, else the v2 one, else systemd's; "" where there is none."""
    paths: dict[str, str] = {}
    for line in proc_cgroup.splitlines()[:64]:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        paths.setdefault(controllers, path)
    for path in paths.values():
        if pod_of(path) is not None:
            return path
    return paths.get("") or paths.get("name=systemd") or ""
