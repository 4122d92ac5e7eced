"""
What each pod has spent since the agent started: sums of exact decimals, from ledger entries.

One row a pod, or a workload of the host; rows beyond the limit are added up in one named ``other``.  A deleted pod's row goes with its
series, after the grace time; the node's totals keep what it spent.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal

from agent.model import Cost, LedgerEntry, Outcome
from agent.pricing.leaves import disjoint
from agent.sinks.limits import OTHER, clean

# Sums of amounts are exact: 20 digits before the point and a provider's odd 60 behind it.
_EXACT = Context(prec=80)
# Errors: nothing was served, so there is nothing to price.
_FREE = ("not_billed", "via_gateway")

Key = tuple[str, str, str, str]


@dataclass(slots=True, kw_only=True)
class Row:
    namespace: str
    kind: str
    workload: str
    pod: str
    team: str = ""
    calls: int = 0
    errors: int = 0
    """Calls with another outcome than ok."""
    unpriced_calls: int = 0
    """Served without a known price: what they cost is not in ``cost_usd``."""
    cost_usd: Decimal = Decimal(0)
    tokens: dict[str, int] = field(default_factory=dict)
    last_call_at_ns: int = 0

    def add(self, entry: LedgerEntry, tokens: dict[str, int]) -> None:
        call, cost = entry.call, entry.cost
        self.calls += 1
        self.errors += call.outcome is not Outcome.OK
        if isinstance(cost, Cost):
            self.cost_usd = _EXACT.add(self.cost_usd, cost.total_usd)
        else:
            self.unpriced_calls += cost.reason not in _FREE
        for kind, number in tokens.items():
            self.tokens[kind] = self.tokens.get(kind, 0) + number
        self.last_call_at_ns = max(self.last_call_at_ns, call.ended_at_ns)


def tokens_of(entry: LedgerEntry) -> dict[str, int]:
    """By disjoint type, with what was billed on top of the call."""
    reading = entry.call.reading
    counts: dict[str, int] = {}
    for usage in (reading.usage, *(extra.usage for extra in reading.extra_usage)):
        for kind, number in disjoint(usage).items():
            counts[kind.value] = counts.get(kind.value, 0) + number
    return counts


class Spend:
    """``accept`` and ``forget_pod`` are for the core's thread, the rest for any."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._rows: dict[Key, Row] = {}
        self._total = Row(namespace="", kind="", workload="", pod="")
        self._lock = threading.Lock()

    def accept(self, entry: LedgerEntry) -> None:
        workload = entry.workload
        tokens = tokens_of(entry)
        key = (clean(workload.namespace), clean(workload.kind), clean(workload.name), clean(workload.pod))
        with self._lock:
            row = self._rows.get(key)
            if row is None:
                if len(self._rows) >= self._max_rows:
                    key = (OTHER, OTHER, OTHER, OTHER)
                row = self._rows.setdefault(key, Row(namespace=key[0], kind=key[1], workload=key[2], pod=key[3]))
            row.add(entry, tokens)
            if key[0] != OTHER:
                row.team = clean(workload.team)
            self._total.add(entry, tokens)

    def forget_pod(self, namespace: str, pod: str) -> None:
        """Drop the row of a deleted pod, now: the grace time is attribution's."""
        gone = (clean(namespace), clean(pod))
        with self._lock:
            for key in [key for key in self._rows if (key[0], key[3]) == gone]:
                del self._rows[key]

    def rows(self) -> tuple[Row, list[Row]]:
        """The node's total since the agent started, and a row a pod, dearest first: copies, of one moment."""
        with self._lock:
            copies = [replace(row, tokens=dict(row.tokens)) for row in (self._total, *self._rows.values())]
        total, *rows = copies
        return total, sorted(rows, key=lambda row: (-row.cost_usd, -row.calls, row.namespace, row.pod))
