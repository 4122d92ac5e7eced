"""
The JSON under ``/api/v1/``: read-only, of this node, for the page and for ``kubectl podtab``.  docs/page.md describes every field.

Amounts are decimal texts, moments RFC 3339 in UTC, durations seconds.  What is not known is null or left out, never 0.  Texts that pods
choose are bounded and printable, and no less hostile for that: whoever shows them escapes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import orjson

from agent.model import Cost, LedgerEntry
from agent.sinks.connections import Outcomes, Who, who_of
from agent.sinks.coverage import Covered
from agent.sinks.http import Answer, Query, Route
from agent.sinks.limits import clean
from agent.sinks.web.doctor import Doctor
from agent.sinks.web.recent import MAX_CALLS, Recent
from agent.sinks.web.spend import Row, Spend, tokens_of

Json = dict[str, object]

_DEFAULT_CALLS = 100
# Names of tools that one answer asks for; a model that asks for a thousand is somebody's joke.
_MAX_TOOLS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What stays the same while the agent runs."""

    node: str
    cluster: str
    version: str
    price_book: str
    started_at_ns: int = field(default_factory=time.time_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Whether calls are seen at all."""

    reason: str
    """Why capture is not in force; "" when it is."""
    link_kind: str
    libraries_probed: int
    libraries_failed: int
    sites_emulated: int
    sites_single_stepped: int


class Api:
    """Routes by path.  Called on any thread; what it reads guards itself."""

    def __init__(
        self,
        identity: Identity,
        *,
        capture: Callable[[], Capture],
        spend: Spend,
        recent: Recent,
        coverage: Callable[[], Iterable[Covered]],
        connections: Callable[[], Outcomes],
        doctor: Doctor | None,
    ) -> None:
        self._identity = identity
        self._capture = capture
        self._spend = spend
        self._recent = recent
        self._coverage = coverage
        self._connections = connections
        self._doctor = doctor

    def routes(self) -> Mapping[str, Route]:
        return {
            "/api/v1/summary": self.summary,
            "/api/v1/calls": self.calls,
            "/api/v1/coverage": self.coverage,
            "/api/v1/doctor": self.doctor,
        }

    def summary(self, query: Query) -> Answer:
        """Who this is, whether it sees, and what each pod has spent since it started."""
        if query:
            return _refuse(query, ())
        identity, capture = self._identity, self._capture()
        total, rows = self._spend.rows()
        return _json(
            {
                "node": identity.node,
                "cluster": identity.cluster,
                "version": identity.version,
                "price_book": identity.price_book,
                "started_at": moment(identity.started_at_ns),
                "capture": {
                    "in_force": not capture.reason,
                    "reason": clean(capture.reason),
                    "link_kind": capture.link_kind,
                    "libraries": {"probed": capture.libraries_probed, "failed": capture.libraries_failed},
                    "sites": {"emulated": capture.sites_emulated, "single_stepped": capture.sites_single_stepped},
                },
                "totals": {
                    "cost_usd": amount(total.cost_usd),
                    "calls": total.calls,
                    "tokens": sum(total.tokens.values()),
                    "unpriced_calls": total.unpriced_calls,
                },
                "workloads": [_workload(row) for row in rows],
            }
        )

    def calls(self, query: Query) -> Answer:
        """The last calls, newest first."""
        known = ("namespace", "pod", "limit")
        if set(query) - set(known):
            return _refuse(query, known)
        limit = query.get("limit", str(_DEFAULT_CALLS))
        if not (limit.isascii() and limit.isdigit() and len(limit) <= 4 and 1 <= int(limit) <= MAX_CALLS):
            return _problem(400, f"limit must be a whole number from 1 to {MAX_CALLS}")
        entries = self._recent.newest(namespace=query.get("namespace"), pod=query.get("pod"), limit=int(limit))
        return _json({"calls": [_call(entry) for entry in entries]})

    def coverage(self, query: Query) -> Answer:
        """Every process that uses TLS, and what became of connections to model APIs, by pod."""
        if query:
            return _refuse(query, ())
        pods: dict[Who, list[Json]] = {}
        for row in self._coverage():
            one = row.coverage
            pods.setdefault(who_of(row.workload), []).append(
                {
                    "pid": one.process.pid,
                    "name": clean(one.process.name),
                    "reason": one.reason.value,
                    "library": clean(one.library) or None,
                    "detail": _sentence(one.detail),
                    "remedy": _sentence(one.remedy),
                }
            )
        connections: dict[Who, list[Json]] = {}
        for (who, provider), counts in self._connections().items():
            connections.setdefault(who, []).append({"provider": provider, **counts})
        names = ("namespace", "workload_kind", "workload", "pod")
        return _json(
            {
                "pods": [
                    {
                        **dict(zip(names, map(clean, who), strict=True)),
                        "processes": pods.get(who, []),
                        "connections": connections.get(who, []),
                    }
                    for who in sorted(pods.keys() | connections.keys())
                ]
            }
        )

    def doctor(self, query: Query) -> Answer:
        """The JSON of ``podtab doctor --json``, at most a minute old."""
        if query:
            return _refuse(query, ())
        if self._doctor is None:
            return _problem(404, "this agent was started without the doctor; run podtab doctor on the node")
        body = self._doctor.answer()
        if body is None:
            return _problem(503, "the doctor is looking at this machine for somebody else; ask again in a moment")
        return Answer(body=body, content_type="application/json")


def moment(at_ns: int) -> str:
    """RFC 3339, to the millisecond."""
    return datetime.fromtimestamp(at_ns // 10**6 / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def amount(value: Decimal) -> str:
    """A decimal text without exponent: exact, and for JavaScript no float."""
    return format(value, "f")


def _workload(row: Row) -> Json:
    return {
        "namespace": row.namespace,
        "workload_kind": row.kind,
        "workload": row.workload,
        "pod": row.pod,
        "team": row.team,
        "calls": row.calls,
        "cost_usd": amount(row.cost_usd),
        "tokens": row.tokens,
        "unpriced_calls": row.unpriced_calls,
        "errors": row.errors,
        "last_call_at": moment(row.last_call_at_ns),
    }


def _call(entry: LedgerEntry) -> Json:
    call, workload, reading, cost = entry.call, entry.workload, entry.call.reading, entry.cost
    first_token_ns = call.first_token_at_ns
    return {
        "at": moment(call.ended_at_ns),
        "namespace": clean(workload.namespace),
        "workload_kind": workload.kind,
        "workload": clean(workload.name),
        "pod": clean(workload.pod),
        "container": clean(workload.container),
        "provider": clean(call.provider),
        "api": call.api,
        "operation": clean(reading.operation),
        "requested_model": clean(reading.requested_model),
        "served_model": clean(reading.served_model),
        "streaming": reading.streaming,
        "status": call.status,
        "outcome": call.outcome.value,
        "evidence": reading.evidence.value,
        "estimate": asdict(reading.estimate) if reading.estimate else None,
        "tokens": tokens_of(entry),
        **({"cost_usd": amount(cost.total_usd)} if isinstance(cost, Cost) else {"unpriced": cost.reason}),
        # Below 0 where a clock was set back.
        "duration_seconds": max(call.ended_at_ns - call.started_at_ns, 0) / 1e9,
        "time_to_first_token_seconds": max(first_token_ns - call.started_at_ns, 0) / 1e9 if first_token_ns else None,
        "tool_calls": [clean(name) for name in reading.tool_calls[:_MAX_TOOLS]],
        "retry_count": call.retry_count,
        "request_id": clean(call.request_id),
        "account": {name: clean(value) for name, value in asdict(call.account).items()},
        "lost_bytes": call.lost_bytes,
    }


def _sentence(text: str) -> str:
    """Ours, but it may quote a path: longer than a label, and printable too."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:1024])


def _json(value: Json) -> Answer:
    return Answer(body=orjson.dumps(value), content_type="application/json")


def _problem(status: int, sentence: str) -> Answer:
    return Answer(status=status, body=orjson.dumps({"error": sentence}), content_type="application/json")


def _refuse(query: Query, known: tuple[str, ...]) -> Answer:
    """Misspelt filters must not look like an answer to what was asked."""
    name = next(name for name in query if name not in known)
    allowed = ", ".join(known) or "none"
    return _problem(400, f"unknown parameter {clean(name)}; known: {allowed}")
