"""Pods from a file: ``kubectl get pods -A -o json > FILE``.  Read again when it changes; a broken new version keeps the old one."""

from __future__ import annotations

from pathlib import Path

import orjson

from agent.attribution.pods import Placed, Pod, guessed_owner, needs_owner, pod_from_json
from agent.attribution.settings import AttributionError

# 10,000 pods with all their status are 100 MB.
_MAX_BYTES = 512 * 1024 * 1024


def read_pod_list(path: Path) -> dict[str, Pod]:
    """Pods by uid, as their cgroups carry it.  Raises AttributionError."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise AttributionError(f"{path}: larger than {_MAX_BYTES} bytes; list one node's pods only")
        data = orjson.loads(path.read_bytes())
    except OSError as error:
        raise AttributionError(f"{path}: can't be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise AttributionError(f"{path}: is not JSON; make it with: kubectl get pods -A -o json > {path}") from None
    items = data.get("items") if isinstance(data, dict) else None
    if not isinstance(items, list):
        raise AttributionError(f"{path}: is not a list of pods; make it with: kubectl get pods -A -o json > {path}")
    found = (pod_from_json(item) for item in items if isinstance(item, dict))
    return {pod.cgroup_uid: pod for pod in found if pod is not None}


class PodListFile:
    """The file and its last good content."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pods = read_pod_list(path)
        self._changed = self._stamp()
        self.error = ""
        """Why the file's newest version is not in use; "" when it is."""

    def pods(self) -> dict[str, Pod]:
        """By uid."""
        return self._pods

    def find(self, uid: str) -> Pod | None:
        return self._pods.get(uid)

    def place(self, pod: Pod) -> Placed:
        """Owners of owners, and namespaces, are not in the file."""
        return Placed(pod=pod, owner=guessed_owner(pod), doubt="no_api_server" if needs_owner(pod) else "")

    def refresh(self) -> None:
        """Read the file again if it changed."""
        stamp = self._stamp()
        if stamp == self._changed:
            return
        self._changed = stamp
        try:
            self._pods = read_pod_list(self._path)
            self.error = ""
        except AttributionError as error:
            self.error = str(error)

    def _stamp(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except OSError:
            return (0, 0)
        return (status.st_mtime_ns, status.st_ino)
