"""
HTTP/2 read from the side (RFC 9113): one reader for what the client sends, one for what it receives, and the streams that both know.

Bytes in, events out, as for HTTP/1; a stream's number is its exchange's.  Splitting the input differently never changes the events but for
how body bytes are cut.  A gap inside a DATA frame costs its bytes only.  A gap that swallowed a head, or the boundary of frames, costs the heads
that can't be told from then on: what a header block refers to and was not seen is left out (``header_blocks``), and ``RequestHead.missing``
says so.
"""

from __future__ import annotations

from typing import ClassVar

from hyperframe.frame import (
    ContinuationFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PushPromiseFrame,
    RstStreamFrame,
)

from agent.model import Body, EndOfMessage, HttpEvent, Lost, ProtocolError, RequestHead, ResponseHead, Side
from agent.protocol.header_blocks import Fields, HeaderBlocks
from agent.protocol.headers import KeyHasher, without_keys
from agent.protocol.heads import MAX_HEAD_BYTES, HeaderCollector
from agent.protocol.http2_frames import CONTINUATION, HEADERS, PUSH_PROMISE, RST_STREAM, FrameReader

# Servers allow 100 to 250 at once, some gRPC ones as many as are asked for.  One more costs the oldest.
MAX_STREAMS = 16_384
# A block of 64 KiB in frames of 16 KiB has four; a flood has thousands (CVE-2024-27316 and others).
MAX_CONTINUATIONS = 64
# Streams begun after a loss, until those of before that have been silent since count as ended unseen.
MAX_SILENCE_STREAMS = 128
_REFUSED_STREAM = 7

_ASKING, _ANSWERED, _ASK_DAMAGED, _ANSWER_DAMAGED, _SILENT = 1, 2, 4, 8, 16


class Streams:
    """The streams of one connection whose answer has not ended: what is known of each, in a few bits."""

    __slots__ = ("doubted_at", "last", "open")

    def __init__(self, *, upgraded: bool = False) -> None:
        """``upgraded``: stream 1 answers a request of HTTP/1 (RFC 7540, 3.2)."""
        self.open: dict[int, int] = {1: 0} if upgraded else {}
        self.last = 1 if upgraded else 0
        """The highest number that was asked with."""
        self.doubted_at = 0
        """``last`` when the framing of answers was lost; 0: no stream waits in doubt."""

    @property
    def buffered_bytes(self) -> int:
        # A dict's entry with a number that is nobody else's.
        return 100 * len(self.open)

    def begin(self, stream_id: int, bits: int, out: list[HttpEvent]) -> None:
        self.last = stream_id
        if len(self.open) >= MAX_STREAMS:
            self.end(next(iter(self.open)), out)
        if self.doubted_at and stream_id > self.doubted_at + 2 * MAX_SILENCE_STREAMS:
            self.doubted_at = 0
            for silent in [one for one, state in self.open.items() if state & _SILENT]:
                self.end(silent, out)
        self.open[stream_id] = bits

    def end(self, stream_id: int, out: list[HttpEvent], *, refused: bool = False) -> None:
        """Before its answer was whole."""
        if self.open.pop(stream_id, 0) & _ASKING:
            out.append(EndOfMessage(stream_id=stream_id, side=Side.REQUEST, complete=False))
        out.append(EndOfMessage(stream_id=stream_id, side=Side.RESPONSE, complete=False, refused=refused))


class _Reader(FrameReader):
    """What both sides share: header blocks."""

    side: ClassVar[Side]

    def __init__(self, streams: Streams, keep: frozenset[str], *, whole: bool, preface: bool) -> None:
        super().__init__(whole=whole, preface=preface)
        self._streams = streams
        self._keep = keep
        self._blocks = HeaderBlocks(whole=whole or preface)
        self._block = bytearray()
        self._continuations = 0
        self._block_ends = False
        """The block's HEADERS frame was the last of its message."""
        self._block_counts = False
        """The block is a message's; a promise's is read for what it adds to the table."""
        self.server_side = False
        """This side speaks as the other one should: we watch a server."""

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer) + len(self._block) + self._blocks.buffered_bytes

    def _receive_preface(self, data: bytes, at: int) -> int:
        try:
            return super()._receive_preface(data, at)
        except ProtocolError:
            # Joined in the middle after all.
            self._blocks.forget()
            raise

    def _on_frame(self, frame: Frame, out: list[HttpEvent]) -> None:
        if isinstance(frame, HeadersFrame):
            self._block_counts, self._block_ends = True, "END_STREAM" in frame.flags
            self._begin_block(frame.stream_id, frame.data, "END_HEADERS" in frame.flags, out)
        elif isinstance(frame, ContinuationFrame):
            if not self._block_stream:
                # Its beginning was lost; in a connection that was read from its start nobody sends that.
                self._blocks.forget()
                return
            self._continuations += 1
            self._add_block(frame.stream_id, frame.data, "END_HEADERS" in frame.flags, out)
        elif isinstance(frame, PushPromiseFrame):
            self._block_counts = False
            self._begin_block(frame.stream_id, frame.data, "END_HEADERS" in frame.flags, out)
        elif isinstance(frame, RstStreamFrame):
            self._on_reset(frame.stream_id, frame.error_code, out)
        elif isinstance(frame, GoAwayFrame):
            self._on_goaway(frame.last_stream_id & 0x7FFFFFFF, out)

    def _begin_block(self, stream_id: int, data: bytes, done: bool, out: list[HttpEvent]) -> None:
        self._block_stream = stream_id
        self._block.clear()
        self._continuations = 0
        self._add_block(stream_id, data, done, out)

    def _add_block(self, stream_id: int, data: bytes, done: bool, out: list[HttpEvent]) -> None:
        self._block += data
        if len(self._block) > MAX_HEAD_BYTES or self._continuations > MAX_CONTINUATIONS:
            raise ProtocolError(f"a header block of {len(self._block)} bytes in {self._continuations + 1} frames")
        if not done:
            return
        self._block_stream = 0
        fields, missing = self._blocks.decode(bytes(self._block))
        self._block = bytearray()
        if self._block_counts:
            self._on_fields(stream_id, fields, missing, out)

    def _on_torn(self, kind: int, stream_id: int, out: list[HttpEvent]) -> None:
        if kind == RST_STREAM:
            self._on_reset(stream_id, 0, out)
        elif kind in (HEADERS, PUSH_PROMISE, CONTINUATION):
            # What follows of this block is of no use, and where it ends need not be known: other frames say so.
            self._block.clear()
            self._block_stream = 0
            self._blocks.forget()
            if kind != PUSH_PROMISE:
                self._on_lost(stream_id, 0, out)

    def _on_stray(self, size: int, out: list[HttpEvent]) -> None:
        self._block.clear()
        self._blocks.forget()
        # Whose bytes they were is not known: each may miss some, but they are counted once.
        for stream_id in list(self._streams.open):
            before = len(out)
            self._on_lost(stream_id, size, out)
            if len(out) > before:
                size = 0

    def _collect(self, fields: Fields, hash_key: KeyHasher | None = None) -> tuple[HeaderCollector, dict[bytes, str]]:
        """Headers of the allow-list, and what HTTP/2 says in pseudo-headers."""
        collector = HeaderCollector(self._keep, hash_key)
        pseudo: dict[bytes, str] = {}
        for name, value in fields:
            if name.startswith(b":"):
                pseudo.setdefault(name, value.decode("latin-1"))
            else:
                collector.on_header(name, value)
        return collector, pseudo

    def _on_fields(self, stream_id: int, fields: Fields, missing: bool, out: list[HttpEvent], /) -> None:
        raise NotImplementedError

    def _on_reset(self, stream_id: int, code: int, out: list[HttpEvent]) -> None:
        if stream_id in self._streams.open:
            self._streams.end(stream_id, out, refused=code == _REFUSED_STREAM)

    def _on_goaway(self, last: int, out: list[HttpEvent]) -> None:
        """The other side is asked to begin no more streams; those above ``last`` were not looked at."""


class RequestReader(_Reader):
    """What the client sends."""

    side: ClassVar[Side] = Side.REQUEST

    def __init__(self, streams: Streams, keep: frozenset[str], hash_key: KeyHasher | None = None) -> None:
        super().__init__(streams, keep, whole=False, preface=True)
        self._hash_key = hash_key

    def _on_fields(self, stream_id: int, fields: Fields, missing: bool, out: list[HttpEvent]) -> None:
        state = self._streams.open.get(stream_id, 0)
        if state & _ASKING:
            if self._block_ends:
                self._end(stream_id, state, out, self._collect(fields)[0].headers)
            return
        if stream_id <= self._streams.last:
            return  # trailers of a stream that has ended
        if stream_id % 2 == 0:
            raise ProtocolError(f"a request on stream {stream_id}")
        collector, pseudo = self._collect(fields, self._hash_key)
        if b":status" in pseudo:
            self.server_side = True
            return
        headers = collector.headers
        if b":authority" in pseudo:
            headers["host"] = pseudo[b":authority"].rpartition("@")[2]
        if b":protocol" in pseudo:
            # RFC 8441: what HTTP/1 says as Upgrade.
            headers["upgrade"] = pseudo[b":protocol"]
        target, secret = without_keys(pseudo.get(b":path", ""))
        key_hash = collector.key_hash
        if secret and self._hash_key is not None and not key_hash:
            key_hash = self._hash_key(secret)
        self._streams.begin(stream_id, _ASKING, out)
        out.append(
            RequestHead(
                stream_id=stream_id,
                method=pseudo.get(b":method", ""),
                target=target,
                headers=headers,
                http_version="2",
                key_hash=key_hash,
                missing=missing and not (target and headers.get("host")),
            )
        )
        if self._block_ends:
            self._end(stream_id, _ASKING, out)

    def _on_data(self, stream_id: int, data: bytes, out: list[HttpEvent]) -> None:
        if self._streams.open.get(stream_id, 0) & _ASKING:
            out.append(Body(stream_id=stream_id, side=Side.REQUEST, data=data))

    def _on_end(self, stream_id: int, out: list[HttpEvent]) -> None:
        state = self._streams.open.get(stream_id, 0)
        if state & _ASKING:
            self._end(stream_id, state, out)

    def _end(self, stream_id: int, state: int, out: list[HttpEvent], trailers: dict[str, str] | None = None) -> None:
        self._streams.open[stream_id] = state & ~_ASKING
        complete = not state & _ASK_DAMAGED
        out.append(EndOfMessage(stream_id=stream_id, side=Side.REQUEST, complete=complete, trailers=trailers or {}))

    def _on_lost(self, stream_id: int, size: int, out: list[HttpEvent]) -> None:
        state = self._streams.open.get(stream_id, 0)
        if state & _ASKING:
            self._streams.open[stream_id] = state | _ASK_DAMAGED
            out.append(Lost(stream_id=stream_id, side=Side.REQUEST, size=size))


class ResponseReader(_Reader):
    """What the client receives.  Streams that it did not ask with (pushed, or begun before we came) are passed over."""

    side: ClassVar[Side] = Side.RESPONSE

    def __init__(self, streams: Streams, keep: frozenset[str], *, whole: bool) -> None:
        super().__init__(streams, keep, whole=whole, preface=False)

    def _on_fields(self, stream_id: int, fields: Fields, _missing: bool, out: list[HttpEvent]) -> None:
        collector, pseudo = self._collect(fields)
        if b":method" in pseudo:
            self.server_side = True
            return
        state = self._streams.open.get(stream_id)
        if state is None:
            return
        self._streams.open[stream_id] = state = state & ~_SILENT
        if state & _ANSWERED:
            if self._block_ends:
                self._end(stream_id, state, out, collector.headers)
            return
        said = pseudo.get(b":status", "")
        status = int(said) if said.isascii() and said.isdigit() and len(said) == 3 else 0
        if 100 <= status < 200:
            return  # interim (RFC 9110, 15.2): the real one follows
        self._answer(stream_id, status, collector.headers, out)
        if self._block_ends:
            self._end(stream_id, self._streams.open[stream_id], out)

    def _answer(self, stream_id: int, status: int, headers: dict[str, str], out: list[HttpEvent]) -> None:
        self._streams.open[stream_id] |= _ANSWERED
        out.append(ResponseHead(stream_id=stream_id, status=status, headers=headers))

    def _on_data(self, stream_id: int, data: bytes, out: list[HttpEvent]) -> None:
        state = self._streams.open.get(stream_id)
        if state is None:
            return
        if state & _SILENT:
            self._streams.open[stream_id] = state = state & ~_SILENT
        if not state & _ANSWERED:
            if not state & _ANSWER_DAMAGED:
                return  # nobody answers without a head
            self._answer(stream_id, 0, {}, out)
        out.append(Body(stream_id=stream_id, side=Side.RESPONSE, data=data))

    def _on_end(self, stream_id: int, out: list[HttpEvent]) -> None:
        state = self._streams.open.get(stream_id)
        if state is not None:
            self._end(stream_id, state, out)

    def _end(self, stream_id: int, state: int, out: list[HttpEvent], trailers: dict[str, str] | None = None) -> None:
        del self._streams.open[stream_id]
        complete = bool(state & _ANSWERED) and not state & _ANSWER_DAMAGED
        out.append(EndOfMessage(stream_id=stream_id, side=Side.RESPONSE, complete=complete, trailers=trailers or {}))

    def _on_lost(self, stream_id: int, size: int, out: list[HttpEvent]) -> None:
        state = self._streams.open.get(stream_id)
        if state is not None:
            self._streams.open[stream_id] = state | _ANSWER_DAMAGED
            out.append(Lost(stream_id=stream_id, side=Side.RESPONSE, size=size))

    def _on_stray(self, size: int, out: list[HttpEvent]) -> None:
        super()._on_stray(size, out)
        if self._streams.open:
            # An answer may have ended unseen: who is silent while others come and go is not waited for.
            self._streams.doubted_at = self._streams.last
            for stream_id in self._streams.open:
                self._streams.open[stream_id] |= _SILENT

    def _on_goaway(self, last: int, out: list[HttpEvent]) -> None:
        for stream_id in [one for one in self._streams.open if one > last]:
            self._streams.end(stream_id, out, refused=True)
