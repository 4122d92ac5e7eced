"""
The frames of one direction of an HTTP/2 connection (RFC 9113, 4.1), read from the side.

    length 24 bits | type 8 | flags 8 | reserved 1, stream 31 | payload

DATA is handed on as it comes, other frames that we need when they are whole, and the rest is passed over.  A gap inside a payload costs that
frame only.  After any other gap, and where a connection is joined in the middle, the next boundary is looked for: a header that makes sense,
and behind its payload the next one.  Text holds none, as it has no zero bytes; in compressed bytes one in a thousand million places looks like one.
"""

from __future__ import annotations

import enum
import re
import struct

from hyperframe.exceptions import HyperframeError
from hyperframe.frame import Frame

from agent.model import HttpEvent, ProtocolError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, 3.4
HEADER_BYTES = 9
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, PADDED = 0x1, 0x8
# A head of 64 KiB in one frame, with padding and priority.  DATA of any length is not kept.
MAX_KEPT_BYTES = 64 * 1024 + 512
_KEPT = frozenset({HEADERS, RST_STREAM, PUSH_PROMISE, GOAWAY, CONTINUATION})
_HEADER = struct.Struct(">HBBBI")

# What a frame looks like, where a boundary is guessed: flags, least and largest length, whether it is a stream's.
_SHAPES = {
    DATA: (0x09, 0, 1024 * 1024, True),
    HEADERS: (0x2D, 1, MAX_KEPT_BYTES, True),
    PRIORITY: (0, 5, 5, True),
    RST_STREAM: (0, 4, 4, True),
    SETTINGS: (0x01, 0, 6 * 32, False),
    PING: (0x01, 8, 8, False),
    GOAWAY: (0, 8, 1024, False),
    WINDOW_UPDATE: (0, 4, 4, None),
    CONTINUATION: (0x04, 1, MAX_KEPT_BYTES, True),
}
_CANDIDATE = re.compile(rb"(?=[\x00-\x0f]..[\x00-\x09][\x00-\x2d][\x00-\x7f]...)", re.DOTALL)
# Streams count up by two: a connection that made eight million requests is rarer than chance.
_LAST_GUESSED_STREAM = 2**24
# The end of a header can look like one; bytes that do so again and again are made for it, and each time every stream is told of a loss.
MAX_WRONG_GUESSES = 32
# So many headers in a row are no chance.
_CERTAIN_FRAMES = 4


def looks_like_frames(data: bytes) -> bool:
    """Whether the bytes of a connection that we joined in the middle are HTTP/2: two frames, or one that fills them from end to end."""
    at, frames = _boundary(data)
    return frames > 1 or (frames == 1 and at == 0 and _length(data) == len(data) - HEADER_BYTES)


class _State(enum.Enum):
    PREFACE = enum.auto()
    HEADER = enum.auto()
    DATA = enum.auto()
    KEEP = enum.auto()
    """In a frame that is wanted whole."""
    SKIP = enum.auto()
    LOST = enum.auto()
    """The boundary is not known."""


class FrameReader:
    """What both sides share.  Subclasses say what a frame means."""

    def __init__(self, *, whole: bool, preface: bool) -> None:
        """``whole``: from the connection's first byte on.  ``preface``: this side begins with it."""
        self._state = _State.PREFACE if preface else _State.HEADER if whole else _State.LOST
        self._buffer = bytearray()
        self._left = 0
        """Bytes of the payload that are still to come, padding included."""
        self._padding = 0
        """Of a DATA frame; -1 while its length is to come."""
        self._header = b""
        self._stream_id = 0
        self._ends = False
        self._guessed = 0 if whole else _CERTAIN_FRAMES
        """Frames that must yet make sense before a boundary that was found counts as known; until then an error is our mistake."""
        self._wrong = 0
        """Guesses in a row that were."""
        self._block_stream = 0
        """The stream whose header block is under way: only its CONTINUATION may follow (6.10)."""

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer)

    def receive(self, data: bytes) -> list[HttpEvent]:
        """The events that ``data`` completes.  Raises ProtocolError."""
        out: list[HttpEvent] = []
        at = 0
        while at < len(data):
            try:
                at = self._step(data, at, out)
            except ProtocolError:
                self._wrong += 1
                if not self._guessed or self._wrong > MAX_WRONG_GUESSES:
                    raise
                self._stray(0, out)
        return out

    def gap(self, size: int) -> list[HttpEvent]:
        """``size`` bytes are missing here; 0 where unknown."""
        out: list[HttpEvent] = []
        inside = min(size, self._left) if self._state in (_State.DATA, _State.KEEP, _State.SKIP) else 0
        beyond = size - inside
        if self._state is _State.DATA:
            if self._padding < 0:
                self._padding = 0  # no padding is that long that it matters
            lost = min(inside, self._left - self._padding) if size else 0
            if lost or not size:
                self._on_lost(self._stream_id, lost, out)
        elif self._state is _State.KEEP:
            self._on_torn(self._header[3], self._stream_id, out)
            self._buffer.clear()
            self._state = _State.SKIP
        self._left -= inside
        if self._state is _State.DATA and self._left <= self._padding:
            self._state = _State.SKIP
        if not size or beyond:
            self._stray(beyond, out)
        elif not self._left and self._state is _State.SKIP:
            self._end_frame(out)
        return out

    def close(self) -> list[HttpEvent]:
        """The connection ended."""
        self._buffer.clear()
        self._state = _State.LOST
        return []

    # ----------------------------------------------------------------------------------------------------------- states

    def _step(self, data: bytes, at: int, out: list[HttpEvent]) -> int:
        """One frame, or what is there of it.  Returns where the next step begins."""
        state = self._state
        if state is _State.HEADER:
            if not (self._buffer or self._guessed or self._block_stream):
                beyond = self._run_of_data(data, at, out)
                if beyond > at:
                    return beyond
            if self._buffer or len(data) - at < HEADER_BYTES:
                need = HEADER_BYTES - len(self._buffer)
                self._buffer += data[at : at + need]
                if len(self._buffer) == HEADER_BYTES:
                    header = bytes(self._buffer)
                    self._buffer.clear()
                    self._begin_frame(header, 0, out)
                return at + need
            self._begin_frame(data, at, out)
            return at + HEADER_BYTES
        if state is _State.DATA:
            return self._receive_data(data, at, out)
        if state is _State.SKIP:
            size = min(self._left, len(data) - at)
            self._left -= size
            if not self._left:
                self._end_frame(out)
            return at + size
        if state is _State.KEEP:
            piece = data[at : at + self._left]
            self._buffer += piece
            self._left -= len(piece)
            if not self._left:
                self._keep_frame(out)
            return at + len(piece)
        if state is _State.PREFACE:
            return self._receive_preface(data, at)
        return self._look_for_boundary(data, at)

    def _run_of_data(self, data: bytes, at: int, out: list[HttpEvent]) -> int:
        """Where a run of whole DATA frames of one stream ends: most of what there is to read, so in one go."""
        pieces: list[bytes] = []
        stream = 0
        while len(data) - at >= HEADER_BYTES:
            high, low, kind, flags, stream_id = _HEADER.unpack_from(data, at)
            beyond = at + HEADER_BYTES + (high << 8 | low)
            if kind != DATA or flags or beyond > len(data) or (stream_id != stream and pieces):
                break
            stream = stream_id
            pieces.append(data[at + HEADER_BYTES : beyond])
            at = beyond
        run = b"".join(pieces)
        if run:
            self._on_data(stream & 0x7FFFFFFF, run, out)
        return at

    def _receive_preface(self, data: bytes, at: int) -> int:
        need = len(PREFACE) - len(self._buffer)
        self._buffer += data[at : at + need]
        if not PREFACE.startswith(self._buffer):
            self._guessed = _CERTAIN_FRAMES
            raise ProtocolError("no preface")
        if len(self._buffer) == len(PREFACE):
            self._buffer.clear()
            self._guessed = 0
            self._state = _State.HEADER
        return at + need

    def _begin_frame(self, data: bytes, at: int, out: list[HttpEvent]) -> None:
        high, low, kind, flags, stream_id = _HEADER.unpack_from(data, at)
        self._left = high << 8 | low
        self._stream_id = stream_id & 0x7FFFFFFF
        if self._guessed:
            if not _plausible(data, at):
                raise ProtocolError("no frame")
            self._guessed -= 1
            if not self._guessed:
                self._wrong = 0
        if self._block_stream and (kind != CONTINUATION or self._stream_id != self._block_stream):
            raise ProtocolError(f"a frame of type {kind} inside a header block")
        if kind == DATA:
            self._padding = -1 if flags & PADDED else 0
            self._ends = bool(flags & END_STREAM)
            self._state = _State.DATA
        elif kind in _KEPT:
            if self._left > MAX_KEPT_BYTES:
                raise ProtocolError(f"a frame of type {kind} with {self._left} bytes")
            self._header = data[at : at + HEADER_BYTES]
            self._state = _State.KEEP
        else:
            self._ends = False
            self._state = _State.SKIP
        if not self._left:
            if self._state is _State.KEEP:
                self._keep_frame(out)
            else:
                self._end_frame(out)

    def _receive_data(self, data: bytes, at: int, out: list[HttpEvent]) -> int:
        if self._padding < 0:
            self._padding = data[at]
            self._left -= 1
            if self._padding > self._left:
                raise ProtocolError("padding longer than its frame")
            at += 1
        piece = data[at : at + self._left - self._padding]
        if piece:
            self._left -= len(piece)
            at += len(piece)
            self._on_data(self._stream_id, piece, out)
        if self._left == self._padding:
            self._padding = 0
            self._state = _State.SKIP
            if not self._left:
                self._end_frame(out)
        return at

    def _end_frame(self, out: list[HttpEvent]) -> None:
        self._state = _State.HEADER
        if self._ends:
            self._ends = False
            self._on_end(self._stream_id, out)

    def _keep_frame(self, out: list[HttpEvent]) -> None:
        payload = bytes(self._buffer)
        self._buffer.clear()
        self._state = _State.HEADER
        try:
            frame, _ = Frame.parse_frame_header(memoryview(self._header))
            frame.parse_body(memoryview(payload))
        except HyperframeError as error:
            raise ProtocolError(f"a frame of {len(payload)} bytes: {type(error).__name__}") from None
        self._on_frame(frame, out)

    # -------------------------------------------------------------------------------------------------------- boundaries

    def _stray(self, size: int, out: list[HttpEvent]) -> None:
        """Frames may have gone by unseen, ``size`` bytes of them; 0 where unknown."""
        self._buffer.clear()
        self._left = 0
        self._ends = False
        self._state = _State.LOST
        self._guessed = _CERTAIN_FRAMES
        self._block_stream = 0
        self._on_stray(size, out)

    def _look_for_boundary(self, data: bytes, at: int) -> int:
        held = len(self._buffer)
        window = bytes(self._buffer) + data[at:]
        self._buffer.clear()
        found, frames = _boundary(window)
        if frames:
            self._state = _State.HEADER
            if found < held:
                # The header began in an earlier piece.
                self._buffer += window[found:held]
                return at
            return at + found - held
        # A header can be cut in two.
        self._buffer += window[-(HEADER_BYTES - 1) :]
        return len(data)

    # -------------------------------------------------------------------------------------------------- for each side

    def _on_data(self, stream_id: int, data: bytes, out: list[HttpEvent]) -> None:
        raise NotImplementedError

    def _on_end(self, stream_id: int, out: list[HttpEvent]) -> None:
        """The stream's last DATA."""
        raise NotImplementedError

    def _on_frame(self, frame: Frame, out: list[HttpEvent]) -> None:
        raise NotImplementedError

    def _on_lost(self, stream_id: int, size: int, out: list[HttpEvent]) -> None:
        """DATA of one stream is missing."""
        raise NotImplementedError

    def _on_torn(self, kind: int, stream_id: int, out: list[HttpEvent]) -> None:
        """Bytes of a frame that was wanted whole are missing."""
        raise NotImplementedError

    def _on_stray(self, size: int, out: list[HttpEvent]) -> None:
        raise NotImplementedError


def _boundary(data: bytes) -> tuple[int, int]:
    """Where the first frame begins, and how many follow one another from there; no frame: (0, 0)."""
    open_end = -1
    for candidate in _CANDIDATE.finditer(data):
        at = candidate.start()
        frames, end = _chain(data, at)
        if frames > 1 or (frames and end == len(data)):
            return at, frames
        if frames and open_end < 0:
            open_end = at
    # The end of a header can look like the beginning of one, whose frame then goes on and on: it counts if there is nothing better.
    return (open_end, 1) if open_end >= 0 else (0, 0)


def _chain(data: bytes, at: int) -> tuple[int, int]:
    """How many frames stand in a row, and where the last ends; (0, 0) if one of the first makes no sense."""
    frames = 0
    while len(data) - at >= HEADER_BYTES and frames < _CERTAIN_FRAMES:
        if not _plausible(data, at):
            return 0, 0
        frames += 1
        at += HEADER_BYTES + _length(data, at)
    return frames, at


def _length(data: bytes, at: int = 0) -> int:
    return int.from_bytes(data[at : at + 3], "big")


def _plausible(data: bytes, at: int) -> bool:
    header: tuple[int, int, int, int, int] = _HEADER.unpack_from(data, at)
    high, low, kind, flags, stream_id = header
    shape = _SHAPES.get(kind)
    if shape is None:
        return False
    mask, least, largest, on_stream = shape
    length = high << 8 | low
    if flags & ~mask or not least <= length <= largest or stream_id > _LAST_GUESSED_STREAM:
        return False
    if kind == SETTINGS and (length % 6 or (flags and length)):
        return False
    if on_stream is None:
        return stream_id == 0 or stream_id % 2 == 1
    return stream_id % 2 == 1 if on_stream else stream_id == 0
