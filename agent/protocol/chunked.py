"""
Chunked transfer coding (RFC 9112, 7.1), read passively.

A stream of 300 small chunks is the normal case, so a buffer with many chunks is taken apart in one loop and given back as one
piece.  Under loss the size of the current chunk says whether the gap lies inside it; if not, reading goes on where the next
bytes look like the start of a chunk.
"""

from __future__ import annotations

import re
from functools import lru_cache

from agent.model import ProtocolError

# A size line with extensions; real ones are below 20 bytes.
_MAX_LINE_BYTES = 4096
_MAX_TRAILER_BYTES = 64 * 1024
# Six digits.
_USUAL_LINE_BYTES = 8
_SIZE_LINE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]{0,4000})?\r\n")


def _size(line: bytes) -> int:
    """Not ``int`` of its beginning, which also takes a sign, underscores and "0x"."""
    match = _SIZE_LINE.fullmatch(line)
    if match is None:
        raise ProtocolError("no chunk size where one has to be")
    return int(match[1], 16)


# The chunks of streams have some hundred sizes.
_usual_size = lru_cache(maxsize=4096)(_size)


class ChunkedReader:
    """Feed body bytes; ``done`` after the last chunk and its trailers, ``rest`` is then what follows the message."""

    __slots__ = ("_buffer", "_left", "_searching", "_trailers", "done", "rest")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        """Bytes of the current chunk that are still to come, its CR LF included."""
        self._trailers = False
        self._searching = False
        """After a gap: the next chunk has to be found first."""
        self.done = False
        self.rest = b""

    def receive(self, data: bytes) -> bytes:
        """The body bytes in ``data``, joined."""
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        parts: list[bytes] = []
        at, size = 0, len(data)
        if self._searching:
            if not _SIZE_LINE.match(data):
                return b""  # wait for bytes that begin with a chunk
            self._searching = False
        while at < size:
            if self._left:
                end = at + self._left
                if end > size:
                    body_end = min(size, end - 2)
                    if body_end > at:
                        parts.append(data[at:body_end])
                    self._left = end - size
                    return b"".join(parts)
                if end - 2 > at:
                    parts.append(data[at : end - 2])
                at = end
                self._left = 0
                continue
            if self._trailers:
                self._read_trailers(data[at:])
                break
            line_end = data.find(b"\r\n", at)
            if line_end < 0:
                if size - at > _MAX_LINE_BYTES:
                    raise ProtocolError(f"chunk size line longer than {_MAX_LINE_BYTES} bytes")
                self._buffer = data[at:]
                break
            line = data[at : line_end + 2]
            length = _usual_size(line) if len(line) <= _USUAL_LINE_BYTES else _size(line)
            at = line_end + 2
            if length == 0:
                self._trailers = True
                self._read_trailers(data[at:])
                break
            self._left = length + 2
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_trailers(self, data: bytes) -> None:
        while True:
            line_end = data.find(b"\r\n")
            if line_end < 0:
                if len(data) > _MAX_TRAILER_BYTES:
                    raise ProtocolError(f"trailers longer than {_MAX_TRAILER_BYTES} bytes")
                self._buffer = data
                return
            if line_end == 0:
                self.done = True
                self.rest = data[2:]
                return
            data = data[line_end + 2 :]

    def gap(self, size: int) -> None:
        """``size`` bytes are missing here; 0 where unknown."""
        if self._left > 2 and 0 < size <= self._left - 2:
            self._left -= size
            return
        self._buffer = b""
        self._left = 0
        self._searching = True
