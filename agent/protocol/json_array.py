"""
One JSON array that is written element by element: how Gemini streams without ``alt=sse`` (``[{…}\\n,\\n{…}]``).

Bytes in, elements out, as bytes; only brackets and strings are looked at, each byte once.  Splitting the input differently never
changes the elements.  After a gap the nesting is unknown, so nothing more comes; neither does it behind the array's end.
"""

from __future__ import annotations

import re

from agent.model import ProtocolError, StreamItem

# As for an event: more than this is not a stream of small elements.
MAX_ELEMENT_BYTES = 8 * 1024 * 1024
# A string as far as it is there, its closing quote in group 1; or a bracket.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*("?)|[{}\[\]]', re.DOTALL)
_REST_OF_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*("?)', re.DOTALL)
_OPENING = b"{["


class JsonArrayParser:
    """Elements that are objects or arrays; scalars between them are passed over."""

    __slots__ = ("_begun", "_depth", "_done", "_escaped", "_in_string")

    def __init__(self) -> None:
        self._begun = bytearray()
        """The element under way, as far as it came."""
        self._depth = 0
        self._in_string = False
        self._escaped = False
        """The last byte was a backslash: the next one is part of the string, whatever it is."""
        self._done = False

    @property
    def buffered_bytes(self) -> int:
        return len(self._begun)

    def receive(self, data: bytes) -> list[StreamItem]:
        """The elements that ``data`` completes."""
        items: list[StreamItem] = []
        if self._done or not data:
            return items
        start = 0 if self._depth > 1 else -1
        for match in _TOKEN.finditer(data, self._skip_string(data)):
            token = data[match.start()]
            if token == 0x22:
                if not match[1]:
                    self._leave_open(match.end(), data)
                    break
            elif token in _OPENING:
                self._depth += 1
                if self._depth == 2:
                    start = match.start()
            else:
                self._depth -= 1
                if self._depth == 1:
                    self._begun += data[start : match.end()]
                    items.append(StreamItem("", bytes(self._begun)))
                    self._begun.clear()
                    start = -1
                elif self._depth < 1:
                    self._done = True
                    return items
        if start >= 0:
            self._begun += data[start:]
            if len(self._begun) > MAX_ELEMENT_BYTES:
                raise ProtocolError(f"array element longer than {MAX_ELEMENT_BYTES} bytes")
        return items

    def gap(self) -> None:
        """Bytes are missing here."""
        self._done = True
        self._begun.clear()

    def close(self) -> list[StreamItem]:
        """The stream ended: an element that is not complete is none."""
        return []

    def _skip_string(self, data: bytes) -> int:
        """Where reading goes on behind a string that began before ``data``."""
        if not self._in_string:
            return 0
        match = _REST_OF_STRING.match(data, 1 if self._escaped else 0)
        assert match is not None  # it also matches nothing
        self._in_string = self._escaped = False
        if match[1]:
            return match.end()
        self._leave_open(match.end(), data)
        return len(data)

    def _leave_open(self, at: int, data: bytes) -> None:
        """A string that goes on in the next bytes; all that can stand at ``at`` is a backslash whose partner has not come."""
        self._in_string = True
        self._escaped = at < len(data)
