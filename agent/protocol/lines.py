"""
JSON lines (``application/x-ndjson``, ``application/stream+json``, ``application/jsonl``): one value a line.

Bytes in, lines out.  Splitting the input differently never changes the output.  A gap makes the line it falls into unreliable: it is
dropped, and reading goes on behind the next line end.  The last line may lack its end.
"""

from __future__ import annotations

from agent.model import ProtocolError, StreamItem

# A line is a delta, or one answer of a batch with an image in it.
MAX_LINE_BYTES = 8 * 1024 * 1024


class LinesParser:
    __slots__ = ("_carry", "_skipping")

    def __init__(self) -> None:
        self._carry = bytearray()
        """The line under way.  Grows in place: a long line in many small reads must not be copied for each of them."""
        self._skipping = False

    @property
    def buffered_bytes(self) -> int:
        return len(self._carry)

    def receive(self, data: bytes) -> list[StreamItem]:
        """The lines that ``data`` completes; blank ones are none."""
        if b"\n" not in data:
            if not self._skipping:
                self._keep(data)
            return []
        if self._carry:
            data = bytes(self._carry) + data
            self._carry.clear()
        lines = data.split(b"\n")
        rest = lines.pop()
        if self._skipping:
            self._skipping = False
            del lines[0]
        self._keep(rest)
        return [StreamItem("", line) for text in lines if (line := text.strip())]

    def gap(self) -> None:
        """Bytes are missing here."""
        self._carry.clear()
        self._skipping = True

    def close(self) -> list[StreamItem]:
        """The stream ended: its last line may lack its end."""
        line = bytes(self._carry).strip()
        self._carry.clear()
        return [StreamItem("", line)] if line and not self._skipping else []

    def _keep(self, data: bytes) -> None:
        self._carry += data
        if len(self._carry) > MAX_LINE_BYTES:
            raise ProtocolError(f"line longer than {MAX_LINE_BYTES} bytes")
