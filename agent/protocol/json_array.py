"""
One JSON array that is written element by element: how Gemini streams without ``alt=sse`` (``[{…}\\n,\\n{…}]``).

Bytes in, elements out, as bytes; only brackets and strings are looked at.  After a gap the nesting is unknown, so nothing more
comes.
"""

from __future__ import annotations

import re

from agent.model import ProtocolError, StreamItem

# As for an event: more than this is not a stream of small elements.
MAX_ELEMENT_BYTES = 8 * 1024 * 1024
_TOKEN = re.compile(rb'\\.|["{}\[\]]', re.DOTALL)


class JsonArrayParser:
    __slots__ = ("_buffer", "_depth", "_in_string", "_lost", "_scanned", "_start")

    def __init__(self) -> None:
        self._buffer = b""
        self._scanned = 0
        self._depth = 0
        self._start = -1
        self._in_string = False
        self._lost = False

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer)

    def receive(self, data: bytes) -> list[StreamItem]:
        """The elements that ``data`` completes."""
        if self._lost:
            return []
        buffer = self._buffer + data
        items = []
        done = 0
        at = self._scanned
        # A backslash at the very end waits for what it escapes.
        limit = len(buffer) - (len(buffer) - len(buffer.rstrip(b"\\"))) % 2
        for match in _TOKEN.finditer(buffer, at, limit):
            token = buffer[match.start()]
            if token == 0x5C:  # backslash and what it escapes
                continue
            if token == 0x22:
                self._in_string = not self._in_string
            elif self._in_string:
                continue
            elif token in b"{[":
                self._depth += 1
                if self._depth == 2:
                    self._start = match.start()
            else:
                self._depth -= 1
                if self._depth == 1 and self._start >= 0:
                    items.append(StreamItem("", buffer[self._start : match.end()]))
                    self._start = -1
                    done = match.end()
        keep = self._start if self._start >= 0 else limit
        keep = max(keep, done)
        self._buffer = buffer[keep:]
        self._scanned = limit - keep
        if self._start >= 0:
            self._start -= keep
        if len(self._buffer) > MAX_ELEMENT_BYTES:
            raise ProtocolError(f"array element longer than {MAX_ELEMENT_BYTES} bytes")
        return items

    def gap(self) -> None:
        """Bytes are missing here."""
        self._lost = True
        self._buffer = b""

    def close(self) -> list[StreamItem]:
        return []
