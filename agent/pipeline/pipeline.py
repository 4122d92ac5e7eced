"""
All connections of a node: chunks in, priced calls and verdicts out.

The only place of the core that catches a failure: a connection that can't be read, or that meets a bug of ours, is quarantined
and costs only itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from agent.dialects.base import Dialect
from agent.dialects.by_body import GUESSED, REMARK
from agent.estimation.counting import Tokenizer
from agent.model import (
    Call,
    Chunk,
    Closed,
    ConnId,
    Cost,
    Evidence,
    Judgement,
    Opened,
    Peer,
    PricedCall,
    ProtocolError,
    Quarantined,
    RequestHead,
    Unpriced,
    Unsupported,
    Usage,
    Verdict,
)
from agent.pipeline.connection import Connection, Seen
from agent.pipeline.gateways import START_SLACK_NS
from agent.protocol.headers import KeyHasher
from agent.streams.lifecycle import READING

Output = PricedCall | Unsupported | Verdict | Quarantined

# Deep research and batch-like calls are silent for half an hour; after this a connection is taken for dead.
IDLE_NS = 3600 * 10**9
# Memory is added up after this part of the budget has come, not for every chunk, and only over the connections that brought it.
_ACCOUNTS_PER_BUDGET = 128
# APIs whose answers can be fetched by their id, and how many of them are remembered: some hours of a busy node.
_FETCHABLE = frozenset(
    {
        "openai/responses",
        "openai/runs",
        "openai/batches",
        "replicate/predictions",
        "gemini/batches",
        "gemini/interactions",
    }
)
_MAX_ANSWERED = 65_536
BY_SERVER_NAME = "provider_from_server_name"
"""The remark of a call whose host and provider are told by the name that its TLS was opened with."""


class Pipeline:
    """
    ``receive`` and ``tick`` are everything.  Time comes in with the events.

    ``provider_of`` names the provider of a request by its host, ``unknown`` where it is not known.  ``hash_key`` names API keys; None: they
    go unnamed.  ``tokenizer`` counts what providers do not state; None: it stays unknown.  ``peer_of`` is asked at each call of a
    connection that did not say itself whom it goes to, and then ``server_name_of`` for the name that TLS was opened with.
    """

    def __init__(
        self,
        *,
        dialects: Sequence[type[Dialect]],
        provider_of: Callable[[RequestHead], str],
        price: Callable[[Call], Cost | Unpriced],
        hash_key: KeyHasher | None = None,
        tokenizer: Tokenizer | None = None,
        peer_of: Callable[[ConnId], Peer | None] = lambda _: None,
        server_name_of: Callable[[ConnId], str] = lambda _: "",
        max_connections: int = 20_000,
        max_buffered_bytes: int = 128 * 1024 * 1024,
    ) -> None:
        self._dialects = tuple(dialects)
        self._provider_of = provider_of
        self._price = price
        self._hash_key = hash_key
        self._tokenizer = tokenizer
        self._peer_of = peer_of
        self._server_name_of = server_name_of
        self._max_connections = max_connections
        self._max_buffered_bytes = max_buffered_bytes
        self._connections: OrderedDict[ConnId, Connection] = OrderedDict()
        self._held_bytes = 0
        """What all connections held when it was last added up: the sum of their ``held_bytes``."""
        self._unaccounted: set[Connection] = set()
        self._unaccounted_bytes = 0
        self._inside: set[Connection] = set()
        """Those on which a model or a gateway inside the cluster was asked; who waits for no answer any more is taken out when it is next looked at."""
        self._answered: OrderedDict[tuple[str, str], None] = OrderedDict()

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def within_another(self, call: Call) -> bool:
        """Whether another process waits for an AI's answer from inside the cluster that it asked for before this call began."""
        self._inside = {connection for connection in self._inside if connection.asks_inside_since_ns}
        return any(
            connection.asks_inside_since_ns <= call.started_at_ns + START_SLACK_NS
            for connection in self._inside
            if connection.conn.pid != call.conn.pid
        )

    def receive(self, event: Opened | Chunk | Closed) -> Iterator[Output]:
        connection = self._connections.get(event.conn)
        if isinstance(event, Closed):
            if connection is not None:
                self._remove(connection)
                yield from self._guarded(connection, connection.close(event.at_ns))
            return
        if connection is None:
            connection = Connection(event.conn, self._dialects, self._provider_of, self._hash_key, self._tokenizer)
            self._connections[event.conn] = connection
            if len(self._connections) > self._max_connections:
                yield from self._drop_oldest()
        else:
            self._connections.move_to_end(event.conn)
        if isinstance(event, Opened):
            connection.peer, connection.last_at_ns = event.peer, event.at_ns
            return
        yield from self._guarded(connection, connection.receive(event))
        if connection.has_asked_inside:
            self._inside.add(connection)
        self._unaccounted.add(connection)
        self._unaccounted_bytes += len(event.data)
        if self._unaccounted_bytes * _ACCOUNTS_PER_BUDGET > self._max_buffered_bytes:
            yield from self._bound_memory()

    def tick(self, at_ns: int) -> Iterator[Output]:
        """Give up what has been silent for too long.  Call it every few seconds."""
        while self._connections:
            connection = next(iter(self._connections.values()))
            if at_ns - connection.last_at_ns < IDLE_NS:
                return
            self._remove(connection)
            yield from self._guarded(connection, connection.close(at_ns))

    def _remove(self, connection: Connection) -> None:
        del self._connections[connection.conn]
        self._unaccounted.discard(connection)
        self._inside.discard(connection)
        self._held_bytes -= connection.held_bytes

    def _drop_oldest(self) -> Iterator[Output]:
        connection = next(iter(self._connections.values()))
        self._remove(connection)
        if connection.state in READING:
            yield from self._guarded(connection, connection.close(connection.last_at_ns))
            yield Quarantined(conn=connection.conn, reason="too_many", detail=f"{self._max_connections} connections")

    def _bound_memory(self) -> Iterator[Output]:
        """Over the budget the largest connections pay first."""
        for connection in self._unaccounted:
            held = connection.buffered_bytes
            self._held_bytes += held - connection.held_bytes
            connection.held_bytes = held
        self._unaccounted.clear()
        self._unaccounted_bytes = 0
        while self._held_bytes > self._max_buffered_bytes:
            largest = max(self._connections.values(), key=lambda connection: connection.held_bytes)
            self._held_bytes -= largest.held_bytes
            largest.held_bytes = 0
            yield from self._quarantine(
                largest, "memory", f"{self._max_buffered_bytes} bytes waiting in all connections"
            )

    def _guarded(self, connection: Connection, seen: Iterator[Seen]) -> Iterator[Output]:
        try:
            for one in seen:
                yield self._priced(connection, one)
        except ProtocolError as error:
            yield from self._quarantine(connection, "protocol_error", str(error))
        except Exception as bug:  # noqa: BLE001
            # A bug of ours.  One connection pays for it; the node keeps its other ones.  The message is not shown: it can
            # quote what it was given.
            yield from self._quarantine(connection, "bug", type(bug).__name__)

    def _quarantine(self, connection: Connection, reason: str, detail: str) -> Iterator[Output]:
        # What is under way is told as cut before the state goes; if that fails too, the quarantine still stands.
        try:
            for one in list(connection.give_up(connection.last_at_ns)):
                yield self._priced(connection, one)
        except Exception as error:  # noqa: BLE001 - as above
            detail += f"; {type(error).__name__} while finishing"
        connection.fail()
        yield Quarantined(conn=connection.conn, reason=reason, detail=detail)
        # Nothing more of it is read, so the kernel need not copy it.
        yield Verdict(conn=connection.conn, judgement=Judgement.IGNORE, reason="quarantined")

    def _priced(self, connection: Connection, one: Seen) -> Output:
        if not isinstance(one, Call):
            return one
        call = one
        peer = connection.peer or self._peer_of(connection.conn)
        name = self._server_name_of(connection.conn)
        if peer is not None or name:
            call = replace(call, peer=peer, server_name=name)
        call = self._counted_once(self._with_host(call))
        return PricedCall(call=call, cost=self._price(call))

    def _with_host(self, call: Call) -> Call:
        """A host that was said before we came is the name that TLS was opened with: better than a guess, and never against what the body proves."""
        remarks = call.reading.remarks
        if call.host or not call.server_name or REMARK not in remarks:
            return call
        provider = self._provider_of(
            RequestHead(stream_id=call.stream_id, method="", target="", headers={"host": call.server_name})
        )
        if GUESSED in remarks or call.provider == "unknown":
            said = (*(one for one in remarks if one != GUESSED), BY_SERVER_NAME)
            return replace(call, provider=provider, host=call.server_name, reading=replace(call.reading, remarks=said))
        return replace(call, host=call.server_name) if call.provider == provider else call

    def _counted_once(self, call: Call) -> Call:
        """
        An answer that is fetched again states its usage again, under the same id: it is money only once.

        Only answers that can be fetched are remembered; a second fetch stays a call, without usage.
        """
        reading = call.reading
        polled = "polled" in reading.remarks
        ids = {(call.provider, name) for name in reading.object_ids}
        if reading.response_id and call.api in _FETCHABLE:
            ids.add((call.provider, reading.response_id))
        if not ids or reading.evidence is not Evidence.REPORTED:
            return call
        known = not ids.isdisjoint(self._answered)
        for key in ids:
            self._answered[key] = None
            self._answered.move_to_end(key)
        while len(self._answered) > _MAX_ANSWERED:
            self._answered.popitem(last=False)
        if not (known and polled):
            return call
        seen_before = replace(
            reading,
            usage=Usage(),
            extra_usage=(),
            reported_cost_usd=None,
            evidence=Evidence.NOT_APPLICABLE,
            remarks=(*reading.remarks, "counted_before"),
        )
        return replace(call, reading=seen_before)
