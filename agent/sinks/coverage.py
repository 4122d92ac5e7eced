"""
Coverage: which processes can be read, and how far; for the page, the plugin and a gauge.

Capture knows what is probed.  What only the way of the bytes tells (bytes lost, a connection joined in the middle) comes from ledger
entries and verdicts, and is remembered here by process.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from agent.model import CoverageReason, Judgement, LedgerEntry, ProcessCoverage, Verdict, Workload
from agent.sinks.limits import Limiter
from agent.sinks.metrics import WHO

# A node has some thousand processes; of those that lose something the latest are remembered.
_MAX_PROCESSES = 4096
# A loss is news for so long; then the process is readable again.
LOSS_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    workload: Workload
    coverage: ProcessCoverage


class Coverage:
    """``accept…`` are for the core's thread; ``rows`` and ``samples`` for any."""

    def __init__(
        self, source: Callable[[], Iterable[Covered]], *, max_pods: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._max_pods = max_pods
        self._clock = clock
        self._lock = threading.Lock()
        self._lost: OrderedDict[int, tuple[float, int]] = OrderedDict()
        """pid → when last, and how many bytes since the loss before was forgotten."""
        self._joined: OrderedDict[int, None] = OrderedDict()
        """pids of connections that made no sense from where we met them."""

    def accept(self, entry: LedgerEntry) -> None:
        if not entry.call.lost_bytes:
            return
        pid, now = entry.call.conn.pid, self._clock()
        with self._lock:
            at, size = self._lost.pop(pid, (now, 0))
            size = size if now - at < LOSS_SECONDS else 0
            self._lost[pid] = (now, size + entry.call.lost_bytes)
            if len(self._lost) > _MAX_PROCESSES:
                self._lost.popitem(last=False)

    def accept_verdict(self, verdict: Verdict) -> None:
        if verdict.judgement is not Judgement.IGNORE or verdict.reason != "not_http":
            return
        with self._lock:
            self._joined[verdict.conn.pid] = None
            if len(self._joined) > _MAX_PROCESSES:
                self._joined.popitem(last=False)

    def rows(self) -> list[Covered]:
        """Every process that uses TLS, with the worst that is known of it."""
        rows = list(self._source())
        now = self._clock()
        with self._lock:
            alive = {row.coverage.process.pid for row in rows}
            # A pid that is gone may come back as somebody else's.
            for pid in [pid for pid in self._joined if pid not in alive]:
                del self._joined[pid]
            for pid in [pid for pid, (at, _) in self._lost.items() if pid not in alive or now - at >= LOSS_SECONDS]:
                del self._lost[pid]
            lost, joined = {pid: size for pid, (_, size) in self._lost.items()}, set(self._joined)
        return [replace(row, coverage=_judged(row.coverage, lost, joined)) for row in rows]

    def samples(self) -> dict[tuple[str, ...], float]:
        """Processes by who and reason.  Pods beyond the limit, the youngest, are counted together."""
        limiter = Limiter(dict.fromkeys(WHO, self._max_pods))
        counts: dict[tuple[str, ...], float] = {}
        for row in self.rows():
            workload = row.workload
            raw = (workload.namespace, workload.kind, workload.name, workload.pod)
            who = tuple(limiter.admit(label, value) for label, value in zip(WHO, raw, strict=True))
            key = (*who, row.coverage.reason.value)
            counts[key] = counts.get(key, 0.0) + 1
        return counts


def _judged(one: ProcessCoverage, lost: Mapping[int, int], joined: set[int]) -> ProcessCoverage:
    pid = one.process.pid
    if one.reason is not CoverageReason.READABLE:
        return one
    if pid in lost:
        return replace(
            one,
            reason=CoverageReason.BYTES_LOST,
            detail=f"{lost[pid]:,} bytes of its calls were not read within the last minutes; calls that miss some have evidence partial",
            remedy="raise capture.ring_bytes or capture.max_copy_bytes, or give the agent more CPU",
        )
    if pid in joined and one.older_than_probe:
        return replace(
            one,
            reason=CoverageReason.MISSED_START,
            detail="it was running before podtab probed its library, and one of its connections is no HTTP from where it was met: it is older than the probes, or speaks something else",
            remedy="if it calls models, wait until it connects anew, or restart the pod; new connections are read",
        )
    return one
