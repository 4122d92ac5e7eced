"""
Whose call it was.

cgroup id → path → pod and container → owner and labels.  Everything is answered from memory, so that the core's thread never waits for
an API server; a call whose pod, owner or namespace is not known yet is held for a bounded time, then let go with what is known, and
counted by what was missing.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator

from agent.attribution.pods import Placed, Pod, PodSource, guessed_owner
from agent.attribution.settings import AttributionSettings
from agent.host.cgroups import cgroup_path_of_id, cgroup_path_of_pid, process_name
from agent.host.containers import PodRef, pod_of, unit_of
from agent.model import Call, LedgerEntry, PricedCall, Process, Workload

# A busy node starts some hundred thousand processes a day; the last of them are remembered.
_MAX_PROCESSES = 16_384
_MAX_CGROUPS = 16_384
# Ten seconds of a very busy node whose pods are all unknown.
_MAX_HELD = 20_000

DOUBTS = (
    "pod_late",
    "owner_late",
    "owner_denied",
    "owner_gone",
    "namespace_late",
    "namespace_denied",
    "namespace_gone",
    "no_api_server",
)


class Attributor:
    """
    ``pods`` knows this node's pods by uid; None where no source of pods is configured.

    Used from one thread, but for ``learn``, ``labels_of`` and ``workload_of``.  Time comes in as ``at_ns``.
    """

    def __init__(self, settings: AttributionSettings, pods: PodSource | None) -> None:
        self._settings = settings
        self._pods = pods
        self._names: OrderedDict[int, str] = OrderedDict()
        self._paths: OrderedDict[int, str] = OrderedDict()
        self._known: dict[str, Pod] = {}
        """Pods seen, also those that have been deleted since, until the grace time is over."""
        self._gone: dict[str, int] = {}
        self._held: deque[tuple[int, PricedCall]] = deque()
        self.doubts: dict[str, int] = dict.fromkeys(DOUBTS, 0)
        """Calls that were counted under names that are not certain, by what was missing.  All from the start: scrapes read it."""

    @property
    def held_calls(self) -> int:
        return len(self._held)

    def learn(self, process: Process) -> None:
        """Remember a process while it lives."""
        _remember(self._names, process.pid, process.name, _MAX_PROCESSES)
        if process.cgroup_id and process.cgroup_path:
            _remember(self._paths, process.cgroup_id, process.cgroup_path, _MAX_CGROUPS)

    def meet(self, call: Call) -> None:
        """Look whose it is while its process lives: a call may be held for seconds before it is attributed, for a gateway's other end."""
        pid = call.conn.pid
        self._path(call.cgroup_id, pid)
        if pid not in self._names and (name := process_name(pid)):
            _remember(self._names, pid, name, _MAX_PROCESSES)

    def attribute(self, priced: PricedCall, at_ns: int) -> LedgerEntry | None:
        """The entry; None when the call is held back until its pod's object, or its owner's, comes."""
        workload = self._workload(priced, last_chance=len(self._held) >= _MAX_HELD)
        if workload is None:
            self._held.append((at_ns + self._settings.hold_ns, priced))
            return None
        return LedgerEntry(call=priced.call, cost=priced.cost, workload=workload)

    def release(self, at_ns: int) -> Iterator[LedgerEntry]:
        """Held calls whose pod is known by now, or whose time is over."""
        for _ in range(len(self._held)):
            deadline, priced = self._held.popleft()
            workload = self._workload(priced, last_chance=at_ns >= deadline)
            if workload is not None:
                yield LedgerEntry(call=priced.call, cost=priced.cost, workload=workload)
            else:
                self._held.append((deadline, priced))

    def labels_of(self, cgroup_path: str) -> Pod | None:
        """
        For the selection of what to capture: the pod that a path names, if its object is known.

        Asked from another thread, and for every process: reads the snapshot, changes nothing, and asks the API server for nothing.
        """
        reference = pod_of(cgroup_path)
        return self._pods.pods().get(reference.pod_uid) if reference is not None and self._pods is not None else None

    def workload_of(self, process: Process) -> Workload:
        """Whose process it is, as far as is known now.  Asked from other threads: reads and changes nothing."""
        reference = pod_of(process.cgroup_path)
        if reference is not None:
            pod = self.labels_of(process.cgroup_path) or self._known.get(reference.pod_uid)
            if pod is None:
                return self._unknown(reference)
            return Placed(pod=pod, owner=guessed_owner(pod)).workload(reference.container_id, self._settings)
        return self._on_host(unit_of(process.cgroup_path), process.name)

    def meet_group(self, cgroup_id: int) -> None:
        """Look where it is while it is there."""
        self._path(cgroup_id, 0)

    def workload_of_group(self, cgroup_id: int) -> Workload:
        """Whose group it is, as far as is known now; also of one that is gone, if it was met."""
        path = self._path(cgroup_id, 0)
        return self.workload_of(Process(pid=0, start_ticks=0, name="", cgroup_id=cgroup_id, cgroup_path=path))

    def deleted_pods(self, at_ns: int) -> list[tuple[str, str]]:
        """Namespace and name of pods whose grace time is over, each once."""
        if self._pods is None:
            return []
        current = self._pods.pods()
        for uid in self._known:
            if uid in current:
                self._gone.pop(uid, None)
            else:
                self._gone.setdefault(uid, at_ns)
        over = [uid for uid, since in self._gone.items() if at_ns - since >= self._settings.grace_ns]
        alive = {(pod.namespace, pod.name) for pod in current.values()} if over else set()
        names = []
        for uid in over:
            del self._gone[uid]
            pod = self._known.pop(uid)
            # A StatefulSet's next pod has the same name: its series go on.
            if (pod.namespace, pod.name) not in alive:
                names.append((pod.namespace, pod.name))
        return names

    # ---------------------------------------------------------------------------------------------------------- helpers

    def _path(self, cgroup_id: int, pid: int) -> str:
        path = self._paths.get(cgroup_id)
        if path is None:
            # A process that exec'ed before we looked: it may still be there, and its group usually is.
            path = cgroup_path_of_pid(pid) or cgroup_path_of_id(cgroup_id)
            if cgroup_id:
                # Also that nothing was found: the walk is not repeated for every call of a group that is gone.
                _remember(self._paths, cgroup_id, path, _MAX_CGROUPS)
        return path

    def _workload(self, priced: PricedCall, *, last_chance: bool) -> Workload | None:
        """None: something is still to come, and worth the wait."""
        call = priced.call
        path = self._path(call.cgroup_id, call.conn.pid)
        reference = pod_of(path)
        if reference is None:
            return self._of_host(path, call.conn.pid)
        if self._pods is None:
            return self._unknown(reference)
        pod = self._pods.find(reference.pod_uid) or self._known.get(reference.pod_uid)
        if pod is None:
            return self._doubtful(self._unknown(reference), "pod_late") if last_chance else None
        self._known[reference.pod_uid] = pod
        placed = self._pods.place(pod)
        if placed.pending and not last_chance:
            return None
        workload = placed.workload(reference.container_id, self._settings)
        return self._doubtful(workload, placed.doubt) if placed.doubt else workload

    def _doubtful(self, workload: Workload, doubt: str) -> Workload:
        self.doubts[doubt] += 1
        return workload

    def _of_host(self, path: str, pid: int) -> Workload:
        # A process that speaks at once is met here before capture has had the time to look at it.
        return self._on_host(unit_of(path), self._names.get(pid) or process_name(pid))

    def _on_host(self, unit: str, name: str) -> Workload:
        kind = "SystemdUnit" if unit else ("Process" if name else "Unknown")
        settings = self._settings
        return Workload(cluster=settings.cluster, node=settings.node, kind=kind, name=unit or name or "unknown")

    def _unknown(self, reference: PodRef) -> Workload:
        settings = self._settings
        return Workload(
            cluster=settings.cluster, node=settings.node, kind="Unknown", name="unknown", pod_uid=reference.pod_uid
        )


def _remember(store: OrderedDict[int, str], key: int, value: str, limit: int) -> None:
    store[key] = value
    store.move_to_end(key)
    if len(store) > limit:
        store.popitem(last=False)
