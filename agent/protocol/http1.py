"""
HTTP/1.1 read from the side (RFC 9112): one reader for what the client sends, one for what it receives.

Bytes in, events out; splitting the input differently never changes the events but for how body bytes are cut.  A gap inside a body
of known length, or inside one chunk, costs its bytes only; any other gap ends the message as incomplete, and reading goes
on at the next bytes that look like a head.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from typing import ClassVar

from agent.model import Body, EndOfMessage, HttpEvent, Lost, ProtocolError, RequestHead, ResponseHead, Side
from agent.protocol.chunked import ChunkedReader
from agent.protocol.headers import KeyHasher
from agent.protocol.heads import MAX_HEAD_BYTES, Head, request_head, response_head

_REQUEST_LINE = re.compile(rb"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|CONNECT|TRACE) [^\s]{1,8192} HTTP/1\.[01]\r\n")
_REQUEST_START = re.compile(rb"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|CONNECT|TRACE) [!-~]")
# Requests that wait for their answer.  Browsers pipelined at most 8; SDKs never do.
_MAX_WAITING = 256


class _State(enum.Enum):
    HEAD = enum.auto()
    LENGTH = enum.auto()
    CHUNKED = enum.auto()
    UNTIL_CLOSE = enum.auto()
    LOST = enum.auto()
    """Somewhere in a message: wait for bytes that begin with a head."""
    OPAQUE = enum.auto()
    """No longer HTTP/1: after CONNECT or an upgrade."""


def looks_like_request(data: bytes) -> bool:
    """Whether a connection's first bytes are an HTTP/1 request's."""
    return _REQUEST_START.match(data) is not None


def looks_like_response(data: bytes) -> bool:
    return data.startswith((b"HTTP/1.1 ", b"HTTP/1.0 "))


class _Reader:
    """What both sides share: finding heads, and the framing of bodies."""

    side: ClassVar[Side]

    def __init__(self, keep: frozenset[str]) -> None:
        self._keep = keep
        self._state = _State.HEAD
        self._buffer = b""
        self._left = 0
        self._chunked: ChunkedReader | None = None
        self._stream_id = 0
        self._damaged = False
        self._strayed = False
        """The framing was lost: heads may have gone by unseen."""

    @property
    def opaque(self) -> bool:
        return self._state is _State.OPAQUE

    @property
    def rest(self) -> bytes:
        """What came behind the last whole head: once the protocol changes, it belongs to the next one."""
        return self._buffer

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer)

    def receive(self, data: bytes) -> list[HttpEvent]:
        """The events that ``data`` completes.  Raises ProtocolError."""
        out: list[HttpEvent] = []
        while data:
            state = self._state
            if state is _State.HEAD:
                data = self._receive_head(data, out)
            elif state is _State.LENGTH:
                body, data = data[: self._left], data[self._left :]
                self._left -= len(body)
                out.append(Body(stream_id=self._stream_id, side=self.side, data=body))
                if not self._left:
                    self._end(out)
            elif state is _State.CHUNKED:
                data = self._receive_chunked(data, out)
            elif state is _State.UNTIL_CLOSE:
                out.append(Body(stream_id=self._stream_id, side=self.side, data=data))
                break
            elif state is _State.LOST:
                if not self._begins_message(data):
                    break
                self._state = _State.HEAD
            else:
                self._buffer = data
                break
        return out

    def gap(self, size: int) -> list[HttpEvent]:
        """``size`` bytes are missing here; 0 where unknown."""
        out: list[HttpEvent] = []
        if self._state in (_State.OPAQUE, _State.LOST):
            return out
        if self._state is _State.HEAD:
            self._stray()
            return out
        out.append(Lost(stream_id=self._stream_id, side=self.side, size=size))
        self._damaged = True
        if self._state is _State.LENGTH:
            if 0 < size < self._left:
                self._left -= size
            else:
                beyond = size != self._left
                self._end(out)
                if beyond:
                    self._stray()
        elif self._chunked is not None:
            self._chunked.gap(size)
        return out

    def _stray(self) -> None:
        self._buffer = b""
        self._state = _State.LOST
        self._strayed = True

    def close(self) -> list[HttpEvent]:
        """The connection ended."""
        out: list[HttpEvent] = []
        if self._state is _State.UNTIL_CLOSE:
            self._end(out)
        elif self._state in (_State.LENGTH, _State.CHUNKED):
            self._damaged = True
            self._end(out)
        self._state = _State.OPAQUE
        self._buffer = b""
        return out

    def _receive_head(self, data: bytes, out: list[HttpEvent]) -> bytes:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        # RFC 9112, 2.2: empty lines before a request are to be ignored.
        start = 0
        while data[start : start + 2] == b"\r\n":
            start += 2
        end = data.find(b"\r\n\r\n", start)
        if end < 0:
            if len(data) - start > MAX_HEAD_BYTES:
                raise ProtocolError(f"{self.side.value} head longer than {MAX_HEAD_BYTES} bytes")
            self._buffer = data[start:]
            return b""
        if end - start > MAX_HEAD_BYTES:
            raise ProtocolError(f"{self.side.value} head longer than {MAX_HEAD_BYTES} bytes")
        self._damaged = False
        self._on_head(data[start : end + 4], out)
        return data[end + 4 :]

    def _receive_chunked(self, data: bytes, out: list[HttpEvent]) -> bytes:
        assert self._chunked is not None
        # A message that begins where the old one was lost: better to give up the old one.
        if self._damaged and self._begins_message(data):
            self._end(out)
            self._strayed = True
            return data
        body = self._chunked.receive(data)
        if body:
            out.append(Body(stream_id=self._stream_id, side=self.side, data=body))
        if not self._chunked.done:
            return b""
        rest = self._chunked.rest
        self._end(out)
        return rest

    def _frame(self, headers: dict[str, str], *, until_close: bool, out: list[HttpEvent]) -> None:
        """Decide the body's framing once (RFC 9112, 6.3)."""
        coding = headers.get("transfer-encoding", "").lower()
        if coding:
            if coding.rpartition(",")[2].strip() == "chunked":
                self._chunked = ChunkedReader()
                self._state = _State.CHUNKED
            elif until_close:
                self._state = _State.UNTIL_CLOSE
            else:
                raise ProtocolError("transfer coding that does not end in chunked")
            return
        length = headers.get("content-length", "")
        if length:
            # Several equal values may have been joined by an intermediary.
            values = {value.strip() for value in length.split(",")}
            value = values.pop()
            if values or not value.isascii() or not value.isdigit() or len(value) > 18:
                raise ProtocolError("content-length is not one number")
            self._left = int(value)
            self._state = _State.LENGTH
            if not self._left:
                self._end(out)
        elif until_close:
            self._state = _State.UNTIL_CLOSE
        else:
            self._end(out)

    def _end(self, out: list[HttpEvent]) -> None:
        out.append(EndOfMessage(stream_id=self._stream_id, side=self.side, complete=not self._damaged))
        self._state = _State.HEAD
        self._chunked = None
        self._left = 0
        self._damaged = False

    def _begins_message(self, data: bytes) -> bool:
        raise NotImplementedError

    def _on_head(self, data: bytes, out: list[HttpEvent]) -> None:
        raise NotImplementedError


class RequestReader(_Reader):
    """What the client sends.  Stream ids count the requests of the connection from 1."""

    side: ClassVar[Side] = Side.REQUEST

    def __init__(self, keep: frozenset[str], hash_key: KeyHasher | None = None) -> None:
        super().__init__(keep)
        self._hash_key = hash_key

    def _begins_message(self, data: bytes) -> bool:
        return _REQUEST_LINE.match(data) is not None

    def _on_head(self, data: bytes, out: list[HttpEvent]) -> None:
        head = request_head(data, self._keep, self._hash_key)
        self._stream_id += 1
        out.append(
            RequestHead(
                stream_id=self._stream_id,
                method=head.method,
                target=head.target,
                headers=head.headers,
                http_version=head.http_version,
                key_hash=head.key_hash,
            )
        )
        if head.method == "CONNECT":
            self._end(out)
            self._state = _State.OPAQUE
        else:
            self._frame(head.headers, until_close=False, out=out)


class ResponseReader(_Reader):
    """
    What the client receives.  ``expect`` names the requests in their order.

    An answer that nobody asked for (we joined in between) is read for its framing only: its stream id is 0.  After a loss that can
    have swallowed whole answers, the next one belongs to the last request: clients do not pipeline, and wait for an answer before they
    ask again.
    """

    side: ClassVar[Side] = Side.RESPONSE

    def __init__(self, keep: frozenset[str]) -> None:
        super().__init__(keep)
        self._waiting: deque[tuple[int, str]] = deque()

    def expect(self, stream_id: int, method: str) -> None:
        """A request went out."""
        if len(self._waiting) >= _MAX_WAITING:
            raise ProtocolError(f"more than {_MAX_WAITING} requests without an answer")
        self._waiting.append((stream_id, method))

    def _begins_message(self, data: bytes) -> bool:
        return looks_like_response(data)

    def _on_head(self, data: bytes, out: list[HttpEvent]) -> None:
        head = response_head(data, self._keep)
        if 100 <= head.status < 200 and head.status != 101:
            return  # interim (RFC 9110, 15.2): the real one follows
        while self._strayed and len(self._waiting) > 1:
            self._waiting.popleft()
        self._strayed = False
        self._stream_id, method = self._waiting.popleft() if self._waiting else (0, "")
        out.append(ResponseHead(stream_id=self._stream_id, status=head.status, headers=head.headers))
        if head.status == 101 or (method == "CONNECT" and 200 <= head.status < 300):
            self._end(out)
            self._state = _State.OPAQUE
        elif method == "HEAD" or head.status in (204, 304):
            self._end(out)
        else:
            self._frame(head.headers, until_close=True, out=out)


__all__ = ["Head", "RequestReader", "ResponseReader", "looks_like_request", "looks_like_response"]
