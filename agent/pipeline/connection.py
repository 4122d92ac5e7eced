"""One connection end to end: bytes of both directions → exchanges, and the one verdict about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from agent.dialects.base import Dialect, Turn
from agent.dialects.by_body import ByBody
from agent.estimation.counting import Tokenizer
from agent.model import (
    Body,
    Call,
    Chunk,
    ConnId,
    Direction,
    EndOfMessage,
    Gap,
    HttpEvent,
    Judgement,
    Lost,
    Peer,
    RequestHead,
    ResponseHead,
    Segment,
    Side,
    Unsupported,
    Verdict,
)
from agent.pipeline.exchange import Exchange
from agent.pipeline.session import Session, looks_like_session, session_dialect, switches
from agent.pipeline.wire import Http1Wire, Http2Wire, Wire
from agent.protocol.headers import KeyHasher
from agent.protocol.http1 import looks_like_request, looks_like_response
from agent.protocol.http2_frames import PREFACE, looks_like_frames
from agent.streams.lifecycle import READING, Happening, State, after
from agent.streams.reassembly import Reassembler

Seen = Call | Unsupported | Verdict

# "OPTIONS " and a character of the target: enough to know a request line, also when it comes byte by byte.
_ENOUGH_BYTES = 9
# A connection that we joined in between: so much of the old exchange we wait out before we give it up.
MAX_UNJUDGED_BYTES = 256 * 1024
# The same where it is HTTP/2, whose answers under way are many at once.
MAX_JOINED_BYTES = 16 * MAX_UNJUDGED_BYTES
# An unknown host may be a gateway that is asked for its health or its models first.
MAX_UNKNOWN_REQUESTS = 4
MAX_UNKNOWN_BYTES = 64 * 1024
# From a session's word to a verdict's.  One that ended needs none: its connection is about to.
_LEFT = {"unknown": "unknown_api", "lost": "session_lost"}


class Connection:
    """Created on its first chunk.  Parsers come with the first bytes that need them, so that idle connections are small."""

    __slots__ = (
        "_dialects",
        "_exchanges",
        "_first",
        "_hash_key",
        "_in_streams",
        "_provider_of",
        "_received",
        "_sent",
        "_session",
        "_tokenizer",
        "_unjudged_bytes",
        "_unknown_requests",
        "_upgraded",
        "_wire",
        "cgroup_id",
        "conn",
        "has_asked_inside",
        "held_bytes",
        "last_at_ns",
        "peer",
        "state",
    )

    def __init__(
        self,
        conn: ConnId,
        dialects: Sequence[type[Dialect]],
        provider_of: Callable[[RequestHead], str],
        hash_key: KeyHasher | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self.conn = conn
        self.state = State.UNJUDGED
        self.cgroup_id = 0
        self.last_at_ns = 0
        self.peer: Peer | None = None
        self.has_asked_inside = False
        """A model or a gateway inside the cluster was."""
        self.held_bytes = 0
        """``buffered_bytes`` when the pipeline last added them up."""
        self._dialects = dialects
        self._provider_of = provider_of
        self._hash_key = hash_key
        self._tokenizer = tokenizer
        self._sent = Reassembler(Direction.SENT)
        self._received = Reassembler(Direction.RECEIVED)
        self._wire: Wire | None = None
        """What reads it, once its first bytes have told which version of HTTP it speaks."""
        self._exchanges: dict[int, Exchange] = {}
        self._session: Session | None = None
        """What the connection has become for good: a WebSocket whose messages we read."""
        self._in_streams: dict[int, Session] = {}
        """WebSockets in streams of HTTP/2 (RFC 8441)."""
        self._upgraded: Exchange | None = None
        """Asked in HTTP/1, to be answered in HTTP/2 (h2c)."""
        self._first = b""
        self._unjudged_bytes = 0
        self._unknown_requests = 0

    @property
    def buffered_bytes(self) -> int:
        held = self._wire.buffered_bytes if self._wire else 0
        held += self._session.buffered_bytes if self._session else 0
        held += sum(session.buffered_bytes for session in self._in_streams.values())
        return held + sum(exchange.buffered_bytes for exchange in self._exchanges.values())

    @property
    def asks_inside_since_ns(self) -> int:
        """
        When the oldest call to an AI inside the cluster began that has not been answered to its end; 0 where there is none.

        What was not judged does not count, whatever it may be: a watch of the Kubernetes API is under way for ever.
        """
        if self.state is not State.WATCHED:
            return 0
        return next((exchange.started_at_ns for exchange in self._exchanges.values() if exchange.inside), 0)

    def receive(self, chunk: Chunk) -> Iterator[Seen]:
        """Raises ProtocolError, or whatever bug we have: the caller quarantines."""
        self.last_at_ns = chunk.last_at_ns
        if self.state not in READING:
            return
        if chunk.cgroup_id:
            self.cgroup_id = chunk.cgroup_id
        stream = self._sent if chunk.direction is Direction.SENT else self._received
        for piece in stream.receive(chunk):
            if self._session is not None:
                yield from self._on_session(self._session, piece)
            elif isinstance(piece, Gap):
                yield from self._gap(piece)
            elif self._wire is not None:
                yield from self._read(self._wire, piece)
            elif piece.direction is Direction.SENT:
                yield from self._first_sent(piece)
            else:
                yield from self._first_received(piece)
            if self.state not in READING:
                return

    def close(self, at_ns: int) -> Iterator[Seen]:
        """The connection ended: what was under way is finished as far as it came."""
        if self.state in READING and self._wire is not None:
            for event in self._wire.close():
                yield from self._on_event(event, at_ns, at_ns)
        yield from self.give_up(at_ns)
        self.state = after(self.state, Happening.ENDED)

    def give_up(self, at_ns: int) -> Iterator[Seen]:
        """Finish every exchange under way as cut."""
        if self._session is not None:
            yield from self._calls(self._session, self._session.close(), at_ns)
        for session in self._in_streams.values():
            yield from self._calls(session, session.close(), at_ns)
        self._in_streams = {}
        exchanges, self._exchanges = self._exchanges, {}
        for exchange in exchanges.values():
            seen = exchange.finish(self.conn, self.cgroup_id, at_ns, complete=False)
            if seen is not None:
                yield seen

    def fail(self) -> None:
        """Stop reading; its bytes cost nothing from here on."""
        self.state = after(self.state, Happening.FAILED)
        self._forget()

    # ------------------------------------------------------------------------------------------------------- directions

    def _first_sent(self, piece: Segment) -> Iterator[Seen]:
        data, self._first = self._first + piece.data, b""
        if looks_like_request(data):
            self._wire = Http1Wire(self._hash_key)
            yield from self._read(self._wire, replace(piece, data=data))
        elif len(data) < _ENOUGH_BYTES:
            self._first = data
        elif PREFACE.startswith(data[: len(PREFACE)]) or looks_like_frames(data):
            begins = data.startswith(PREFACE[:_ENOUGH_BYTES]) and not self._received.next_position
            self._wire = Http2Wire(self._hash_key, whole=begins)
            yield from self._read(self._wire, replace(piece, data=data))
        elif looks_like_session(data):
            yield self._refuse("server_side")
        else:
            yield from self._wait(len(data), "not_http")

    def _first_received(self, piece: Segment) -> Iterator[Seen]:
        data = piece.data
        if looks_like_request(data) or data.startswith(PREFACE):
            yield self._refuse("server_side")
        elif looks_like_session(data):
            yield self._refuse("session_missed")
        elif looks_like_frames(data):
            self._wire = Http2Wire(self._hash_key, whole=False)
            yield from self._read(self._wire, piece)
        elif not looks_like_response(data):
            # A request line that comes byte by byte is a hostile client's; waiting it out costs little.
            yield from self._wait(len(data), "not_http")

    def _read(self, wire: Wire, piece: Segment) -> Iterator[Seen]:
        for event in wire.receive(piece.direction, piece.data):
            yield from self._on_event(event, piece.at_ns, piece.last_at_ns)
            if self.state not in READING:
                return
        if not wire.over:
            if self.state is State.UNJUDGED and not self._exchanges and isinstance(wire, Http2Wire):
                # Joined in the middle: answers under way, or something that only looks like frames.
                yield from self._wait(len(piece.data), "not_http", MAX_JOINED_BYTES)
            return
        if self._upgraded is not None:
            exchange, self._upgraded = self._upgraded, None
            exchange.stream_id = 1
            self._exchanges[1] = exchange
            self._wire = Http2Wire(self._hash_key, whole=True, upgraded=True)
            for direction in (Direction.SENT, Direction.RECEIVED):
                yield from self._read(self._wire, replace(piece, direction=direction, data=wire.rest(direction)))
            return
        if self._session is None:
            yield self._refuse(wire.over)
            return
        self._wire = None
        for direction in (Direction.SENT, Direction.RECEIVED):
            yield from self._on_session(self._session, replace(piece, direction=direction, data=wire.rest(direction)))

    def _on_session(self, session: Session, piece: Segment | Gap) -> Iterator[Seen]:
        if session.over:
            return
        if isinstance(piece, Gap):
            turns = session.gap(piece.direction, piece.size, piece.at_ns)
            at_ns = piece.at_ns
        else:
            turns = session.receive(piece.direction, piece.data, piece.at_ns)
            at_ns = piece.last_at_ns
        yield from self._calls(session, turns, at_ns)
        reason = _LEFT.get(session.over)
        if reason is not None:
            yield self._refuse(reason)

    def _on_stream(self, session: Session, event: HttpEvent, at_ns: int, last_at_ns: int) -> Iterator[Seen]:
        if not (session.over or isinstance(event, RequestHead | ResponseHead)):
            direction = Direction.SENT if event.side is Side.REQUEST else Direction.RECEIVED
            turns: Iterator[Turn] = iter(())
            if isinstance(event, Body):
                turns = session.receive(direction, event.data, at_ns)
            elif isinstance(event, Lost):
                # Of the stream, or of frames around it: where the next message begins is not known.
                session.lost_bytes += event.size
                turns = session.gap(direction, 0, at_ns)
            elif event.side is Side.RESPONSE:
                turns = session.close()
            yield from self._calls(session, turns, last_at_ns)
        if isinstance(event, EndOfMessage) and event.side is Side.RESPONSE:
            del self._in_streams[event.stream_id]

    def _calls(self, session: Session, turns: Iterator[Turn], at_ns: int) -> Iterator[Call]:
        for turn in turns:
            yield session.call(turn, self.conn, self.cgroup_id, at_ns)

    def _gap(self, gap: Gap) -> Iterator[Seen]:
        self._first = b""
        if self._wire is None:
            return
        for event in self._wire.gap(gap.direction, gap.size):
            yield from self._on_event(event, gap.at_ns, gap.at_ns)

    # ----------------------------------------------------------------------------------------------------------- events

    def _on_event(self, event: HttpEvent, at_ns: int, last_at_ns: int) -> Iterable[Seen]:
        if event.stream_id in self._in_streams:
            return self._on_stream(self._in_streams[event.stream_id], event, at_ns, last_at_ns)
        if isinstance(event, RequestHead):
            return self._on_request(event, at_ns)
        exchange = self._exchanges.get(event.stream_id)
        if exchange is None:
            return ()
        if isinstance(event, Body):
            return self._on_body(exchange, event, at_ns)
        if isinstance(event, ResponseHead):
            return self._on_response(exchange, event, at_ns)
        if isinstance(event, Lost):
            lose = exchange.request_lost if event.side is Side.REQUEST else exchange.response_lost
            lose(event.size)
            return ()
        if event.side is Side.REQUEST:
            exchange.request_end(event.complete)
            return ()
        return self._on_end(exchange, event, last_at_ns)

    def _on_body(self, exchange: Exchange, event: Body, at_ns: int) -> Iterable[Seen]:
        if event.side is Side.REQUEST:
            exchange.request_body(event.data)
        else:
            exchange.response_body(event.data, at_ns)
        if self.state is State.UNJUDGED and exchange.seen_bytes > _patience(exchange.request):
            return (self._refuse("unknown_api"),)
        return ()

    def _on_response(self, exchange: Exchange, head: ResponseHead, at_ns: int) -> Iterable[Seen]:
        kind = session_dialect(exchange.request) if switches(exchange.request, head.status) else None
        if head.status == 101 and head.headers.get("upgrade", "").lower() == "h2c":
            self._upgraded = self._exchanges.pop(head.stream_id)
        elif kind is not None:
            del self._exchanges[head.stream_id]
            session = Session(exchange.request, head, kind, exchange.provider, self._tokenizer)
            if head.status != 101:
                self._in_streams[head.stream_id] = session
                return ()
            self._session = session
            if isinstance(self._wire, Http1Wire) and self._wire.doubt:
                # Where the client's first frame begins is not known.
                return self._calls(session, session.gap(Direction.SENT, 0, at_ns), at_ns)
        else:
            exchange.response_head(head, at_ns)
        return ()

    def _on_end(self, exchange: Exchange, event: EndOfMessage, at_ns: int) -> Iterator[Seen]:
        del self._exchanges[event.stream_id]
        exchange.response_trailers(event.trailers)
        seen = exchange.finish(self.conn, self.cgroup_id, at_ns, complete=event.complete, refused=event.refused)
        if seen is not None:
            if self.state is State.UNJUDGED:
                yield self._accept("known_body")
            yield seen
        elif self.state is State.UNJUDGED and exchange.request.missing:
            yield from self._unknown()

    def _on_request(self, head: RequestHead, at_ns: int) -> Iterator[Seen]:
        provider = self._provider_of(head)
        dialect = self._dialect_of(head)
        if self.state is State.UNJUDGED:
            if provider != "unknown":
                yield self._accept("known_host")
            elif head.missing:
                pass  # the answer says what it is
            elif dialect is not None:
                yield self._accept("known_path")
            else:
                yield from self._unknown()
                if self.state not in READING:
                    return
        exchange = Exchange(head, dialect=dialect, provider=provider, at_ns=at_ns, tokenizer=self._tokenizer)
        self._exchanges[head.stream_id] = exchange
        self.has_asked_inside |= exchange.inside

    def _dialect_of(self, head: RequestHead) -> type[Dialect] | None:
        if head.missing:
            return ByBody
        session = session_dialect(head)
        if session is not None or head.method == "CONNECT":
            return session
        return next((one for one in self._dialects if one.accepts(head)), None)

    # ---------------------------------------------------------------------------------------------------------- verdict

    def _unknown(self) -> Iterator[Seen]:
        self._unknown_requests += 1
        if self._unknown_requests > MAX_UNKNOWN_REQUESTS:
            yield self._refuse("unknown_api")

    def _wait(self, size: int, reason: str, limit: int = MAX_UNJUDGED_BYTES) -> Iterator[Seen]:
        """Bytes that can't be told yet: perhaps we joined in the middle of an exchange."""
        self._unjudged_bytes += size
        if self._unjudged_bytes > limit:
            yield self._refuse(reason)

    def _forget(self) -> None:
        self._wire = self._session = None
        self._exchanges = {}
        self._in_streams = {}
        self._first = b""

    def _accept(self, reason: str) -> Verdict:
        self.state = after(self.state, Happening.ACCEPTED)
        return Verdict(conn=self.conn, judgement=Judgement.WATCH, reason=reason)

    def _refuse(self, reason: str) -> Verdict:
        self.state = after(self.state, Happening.REFUSED)
        self._forget()
        return Verdict(conn=self.conn, judgement=Judgement.IGNORE, reason=reason)


def _patience(request: RequestHead) -> int:
    return MAX_UNJUDGED_BYTES if request.missing else MAX_UNKNOWN_BYTES
