"""
One connection in one version of HTTP: both directions' readers, and what the one must know of the other.

    over      why nothing more can be read, in a verdict's word; "" while something can
    receive   what one direction said next → events, the same for every version; a stream id names the exchange
    gap       so many bytes of one direction are missing here; 0 where unknown
    close     the connection ended
    rest      what a direction said behind the point where the protocol changed
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from agent.model import Direction, EndOfMessage, HttpEvent, RequestHead, ResponseHead, Side
from agent.protocol import http1, http2
from agent.protocol.headers import KEPT, KeyHasher


class Wire(Protocol):
    @property
    def over(self) -> str: ...

    @property
    def buffered_bytes(self) -> int: ...

    def receive(self, direction: Direction, data: bytes) -> Iterable[HttpEvent]: ...

    def gap(self, direction: Direction, size: int) -> Iterable[HttpEvent]: ...

    def close(self) -> Iterable[HttpEvent]: ...

    def rest(self, direction: Direction, /) -> bytes: ...


class Http1Wire:
    """HTTP/1.1: answers come in the order of their requests."""

    __slots__ = ("_hash_key", "_open", "_requests", "_responses", "doubt")

    def __init__(self, hash_key: KeyHasher | None = None) -> None:
        self._requests = http1.RequestReader(KEPT, hash_key)
        self._responses = http1.ResponseReader(KEPT)
        self._open: dict[int, None] = {}
        """Requests whose answer has not ended."""
        self.doubt = False
        """Bytes were lost since the last request: which answer belongs to which request is no longer certain."""

    @property
    def over(self) -> str:
        return "upgraded" if self._requests.opaque or self._responses.opaque else ""

    @property
    def buffered_bytes(self) -> int:
        return self._requests.buffered_bytes + self._responses.buffered_bytes

    def receive(self, direction: Direction, data: bytes) -> Iterable[HttpEvent]:
        """Raises ProtocolError."""
        if direction is Direction.SENT:
            return self._asked(self._requests.receive(data))
        return self._answered(self._responses.receive(data))

    def gap(self, direction: Direction, size: int) -> Iterable[HttpEvent]:
        self.doubt = True
        if direction is Direction.SENT:
            return self._requests.gap(size)
        return self._answered(self._responses.gap(size))

    def close(self) -> Iterable[HttpEvent]:
        return self._answered(self._responses.close())

    def rest(self, direction: Direction) -> bytes:
        return (self._requests if direction is Direction.SENT else self._responses).rest

    def _asked(self, events: Iterable[HttpEvent]) -> Iterator[HttpEvent]:
        for event in events:
            if isinstance(event, RequestHead):
                if self.doubt:
                    # Clients wait for an answer before they ask again, so what was under way is over, seen or not.
                    self.doubt = False
                    yield from self._cut(list(self._open))
                    self._responses = http1.ResponseReader(KEPT)
                self._responses.expect(event.stream_id, event.method)
                self._open[event.stream_id] = None
            yield event

    def _answered(self, events: list[HttpEvent]) -> list[HttpEvent]:
        """Not a generator: it is asked of every chunk of a stream, and has nothing to say to most."""
        out: list[HttpEvent] = []
        for event in events:
            if isinstance(event, ResponseHead) and event.stream_id in self._open:
                # An earlier one that is still waited for was lost.
                out += self._cut([one for one in self._open if one < event.stream_id])
            elif isinstance(event, EndOfMessage):
                self._open.pop(event.stream_id, None)
            out.append(event)
        return out

    def _cut(self, stream_ids: list[int]) -> Iterator[HttpEvent]:
        for stream_id in stream_ids:
            del self._open[stream_id]
            yield EndOfMessage(stream_id=stream_id, side=Side.RESPONSE, complete=False)


class Http2Wire:
    """HTTP/2: many exchanges at once, each a stream."""

    __slots__ = ("_requests", "_responses", "_streams")

    def __init__(self, hash_key: KeyHasher | None = None, *, whole: bool, upgraded: bool = False) -> None:
        """``whole``: what the server says is read from its first byte on.  ``upgraded``: stream 1 answers a request of HTTP/1 (h2c)."""
        self._streams = http2.Streams(upgraded=upgraded)
        self._requests = http2.RequestReader(self._streams, KEPT, hash_key)
        self._responses = http2.ResponseReader(self._streams, KEPT, whole=whole)

    @property
    def over(self) -> str:
        return "server_side" if self._requests.server_side or self._responses.server_side else ""

    @property
    def buffered_bytes(self) -> int:
        return self._requests.buffered_bytes + self._responses.buffered_bytes + self._streams.buffered_bytes

    def receive(self, direction: Direction, data: bytes) -> list[HttpEvent]:
        """Raises ProtocolError."""
        return (self._requests if direction is Direction.SENT else self._responses).receive(data)

    def gap(self, direction: Direction, size: int) -> list[HttpEvent]:
        return (self._requests if direction is Direction.SENT else self._responses).gap(size)

    def close(self) -> list[HttpEvent]:
        """What is under way has no end that we could tell: the connection gives it up."""
        return [*self._requests.close(), *self._responses.close()]

    def rest(self, _direction: Direction, /) -> bytes:
        """Nothing comes behind HTTP/2."""
        return b""
