"""A WebSocket after its handshake: frames of both directions → messages → turns of a session dialect, each a Call of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from agent.dialects import SESSION_DIALECTS
from agent.dialects.base import SessionDialect, Turn
from agent.estimation.counting import Tokenizer
from agent.estimation.seen import Seen, countable
from agent.model import Call, ConnId, Direction, Message, RequestHead, ResponseHead
from agent.pipeline.account import account_of
from agent.pipeline.exchange import outcome_of
from agent.pipeline.passed_on import request_id_of
from agent.protocol.websocket import MAX_MESSAGE_BYTES, WebSocketReader, agreed

# A server of these APIs speaks of its session at once; so many messages without a word of it come from somebody else's.
MAX_UNKNOWN_MESSAGES = 64
# The same for messages without an end, and for servers that are silent: what is asked before the first answer can be as long as a message.
MAX_UNKNOWN_BYTES = 2 * MAX_MESSAGE_BYTES
# What one holds besides messages, measured with three thousand at once.
FIXED_BYTES = 4096
# How servers of these APIs begin a message, behind a frame's header without a mask.  No text begins with such a byte.
_MIDDLE = re.compile(rb'[\x81\x82](?:[\0-\x7d]|\x7e..|\x7f.{8})\s*\{\s*"(?:type|event_id|serverContent)"', re.DOTALL)


def looks_like_session(data: bytes) -> bool:
    """
    Whether a connection that we joined in the middle is a session, by what its server says: who serves it, and which model, was said before we came.

    Clients mask what they say (RFC 6455, 5.3), so whoever sends this serves.
    """
    return _MIDDLE.match(data) is not None


def session_dialect(request: RequestHead) -> type[SessionDialect] | None:
    """Of a request that wants to go on as a WebSocket."""
    # RFC 6455, 4.1, and RFC 8441, 4.
    if request.method not in ("GET", "CONNECT") or request.headers.get("upgrade", "").lower() != "websocket":
        return None
    return next((dialect for dialect in SESSION_DIALECTS if dialect.accepts(request)), None)


def switches(request: RequestHead, status: int) -> bool:
    """To a WebSocket: the whole connection, or one stream of it."""
    return status == 101 or (request.method == "CONNECT" and 200 <= status < 300)


class Session:
    """The turns come out as they end.  What is lost is told: by a turn that was cut, or by one that stands for all that follow."""

    __slots__ = (
        "_dialect",
        "_messages",
        "_provider",
        "_received",
        "_request",
        "_response",
        "_seen_bytes",
        "_sent",
        "_stream_id",
        "_unheard",
        "lost_bytes",
        "over",
    )

    def __init__(
        self,
        request: RequestHead,
        response: ResponseHead,
        kind: type[SessionDialect],
        provider: str,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        """Raises ProtocolError where the two agreed on an extension that we don't know."""
        extensions = agreed(response.headers.get("sec-websocket-extensions", ""))
        self._sent, self._received = WebSocketReader(extensions.client), WebSocketReader(extensions.server)
        self._request = request
        self._response = response
        self._provider = provider
        self._dialect = kind(request, provider)
        self._dialect.response_head(response)
        if tokenizer is not None and countable(kind.api):
            self._dialect.new_counter = lambda: Seen(kind.api, tokenizer)
        self._stream_id = request.stream_id
        self._messages = 0
        """Of the server."""
        self._seen_bytes = 0
        """Of both."""
        self.lost_bytes = 0
        """Since the last call."""
        self._unheard = False
        """The server said something since the last call that we can't read."""
        self.over = ""
        """Why nothing more is read: ``ended lost unknown``; "" while something is."""

    @property
    def buffered_bytes(self) -> int:
        return FIXED_BYTES + sum(
            (self._sent.buffered_bytes, self._received.buffered_bytes, self._dialect.buffered_bytes)
        )

    def receive(self, direction: Direction, data: bytes, at_ns: int) -> Iterator[Turn]:
        """Raises ProtocolError."""
        self._seen_bytes += len(data)
        yield from self._on_messages(direction, self._reader(direction).receive(data), at_ns)

    def gap(self, direction: Direction, size: int, at_ns: int) -> Iterator[Turn]:
        self.lost_bytes += size
        yield from self._on_messages(direction, self._reader(direction).gap(size), at_ns)

    def close(self) -> Iterator[Turn]:
        """The connection ended, or we leave it: the turns under way, as cut."""
        if self.over:
            return
        self.over = "ended"
        self._unheard = self._unheard or any(message.missing != "cut" for message in self._received.close())
        yield from self._open_turns()

    def call(self, turn: Turn, conn: ConnId, cgroup_id: int, at_ns: int) -> Call:
        reading, status = turn.reading, self._response.status
        lost_bytes, self.lost_bytes, self._unheard = self.lost_bytes, 0, False
        # The handshake's number is the first turn's; nothing else comes on this connection.
        stream_id, self._stream_id = self._stream_id, self._stream_id + 1
        return Call(
            conn=conn,
            stream_id=stream_id,
            cgroup_id=cgroup_id,
            provider=self._provider,
            api=self._dialect.api,
            host=self._request.host,
            status=status,
            outcome=outcome_of(status, reading, turn.complete),
            request_id=request_id_of(self._response.headers),
            started_at_ns=turn.started_at_ns or at_ns,
            # Of an answer that says nothing before its end, that.
            first_byte_at_ns=turn.first_token_at_ns or (at_ns if turn.complete else 0),
            first_token_at_ns=turn.first_token_at_ns,
            ended_at_ns=at_ns,
            lost_bytes=lost_bytes,
            account=account_of(self._request, self._response.headers),
            reading=reading,
        )

    @property
    def _ours(self) -> bool:
        return self._provider != "unknown" or self._dialect.recognised

    def _reader(self, direction: Direction) -> WebSocketReader:
        return self._sent if direction is Direction.SENT else self._received

    def _on_messages(self, direction: Direction, messages: Iterable[Message], at_ns: int) -> Iterator[Turn]:
        for message in messages:
            if self.over:
                return
            if message.missing:
                self._unheard = self._unheard or direction is Direction.RECEIVED
                yield from self._dialect.missing(direction, at_ns)
            else:
                yield from self._dialect.message(direction, message.data, at_ns)
            if direction is Direction.RECEIVED:
                self._messages += 1
        if self._received.lost:
            yield from self._lose()
        elif self._received.ended:
            yield from self.close()
        elif (self._messages > MAX_UNKNOWN_MESSAGES or self._seen_bytes > MAX_UNKNOWN_BYTES) and not self._ours:
            self.over = "unknown"

    def _lose(self) -> Iterator[Turn]:
        """The answers can't be read any more."""
        if not self.over:
            self.over = "lost"
            yield from self._open_turns()

    def _open_turns(self) -> Iterator[Turn]:
        """What was under way, as cut; and where nothing was, but something went unheard, that."""
        if not self._ours:
            return
        turns = list(self._dialect.close())
        if not turns and self._unheard:
            # It may have been an answer, which is not "nothing".
            turns.append(
                Turn(reading=self._dialect.reading(complete=False, streaming=True), started_at_ns=0, complete=False)
            )
        yield from turns
