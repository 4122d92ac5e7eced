"""The last calls of this node, newest last, in a ring."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from agent.model import LedgerEntry

# Some 3 KB each, so 3 MB; a person reads a screen of them, and what is older is in the ledger.
MAX_CALLS = 1000


class Recent:
    """``accept`` is for the core's thread, ``newest`` for any."""

    def __init__(self, limit: int = MAX_CALLS) -> None:
        self._ring: deque[LedgerEntry] = deque(maxlen=limit)

    def accept(self, entry: LedgerEntry) -> None:
        self._ring.append(entry)

    def newest(self, *, namespace: str | None, pod: str | None, limit: int) -> Iterator[LedgerEntry]:
        """Newest first; None: any."""
        # One step of the interpreter, so no append comes between.
        for entry in reversed(tuple(self._ring)):
            if limit <= 0:
                return
            workload = entry.workload
            if namespace not in (None, workload.namespace) or pod not in (None, workload.pod):
                continue
            limit -= 1
            yield entry
