"""
Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), read passively.

Bytes in, items out.  Splitting the input differently never changes the output.  A gap makes the event it falls into
unreliable: it is dropped, and parsing resumes after the next blank line.  Unlike a browser we also give the last event when
the stream ends without a blank line: some servers forget it.
"""

from __future__ import annotations

from agent.model import ProtocolError, StreamItem

# One event is one JSON delta; real ones are below 64 KiB, but for the last event of a Responses stream, which repeats the whole
# answer.  More than this without a blank line means that we are not looking at an event stream.
MAX_EVENT_BYTES = 8 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class SseParser:
    __slots__ = ("_carry", "_return_pending", "_skipping", "_started")

    def __init__(self) -> None:
        self._carry = bytearray()
        """The event under way.  Grows in place: a large event in many small reads must not be copied for each of them."""
        self._return_pending = False
        """The last byte was a CR: a LF that follows belongs to it."""
        self._skipping = False
        self._started = False

    @property
    def buffered_bytes(self) -> int:
        return len(self._carry)

    def receive(self, data: bytes) -> list[StreamItem]:
        """The events that ``data`` completes."""
        if not data:
            return []
        if self._return_pending or b"\r" in data:
            data = self._unify_line_ends(data)
            if not data:
                return []
        carry = self._carry
        if carry:
            # A blank line can be cut in two, so the search has to begin one byte early.
            ends = b"\n\n" in data or (data[:1] == b"\n" and carry[-1] == 0x0A)
            carry += data
            if not ends:
                if len(carry) > MAX_EVENT_BYTES:
                    raise ProtocolError(f"event longer than {MAX_EVENT_BYTES} bytes")
                return []
            data = bytes(carry)
            carry.clear()
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            if len(rest) > MAX_EVENT_BYTES:
                raise ProtocolError(f"event longer than {MAX_EVENT_BYTES} bytes")
            carry += rest
        if blocks and not self._started:
            self._started = True
            blocks[0] = blocks[0].removeprefix(_BOM)
        if self._skipping and blocks:
            self._skipping = False
            del blocks[0]
        out: list[StreamItem] = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                # The usual one, thousands a second: a NamedTuple's own constructor is Python, and takes as long as all the rest.
                out.append(tuple.__new__(StreamItem, ("", block[6:])))
            elif (item := _item(block)) is not None:
                out.append(item)
        return out

    def gap(self) -> None:
        """Bytes are missing here."""
        self._carry.clear()
        self._skipping = True
        self._return_pending = False

    def close(self) -> list[StreamItem]:
        """The stream ended: its last event may lack the blank line."""
        block = bytes(self._carry)
        self._carry.clear()
        if self._skipping or not block:
            return []
        item = _item(block)
        return [item] if item is not None else []

    def _unify_line_ends(self, data: bytes) -> bytes:
        if self._return_pending and data.startswith(b"\n"):
            data = data[1:]
        self._return_pending = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _item(block: bytes) -> StreamItem | None:
    name, data = "", []
    for line in block.split(b"\n"):
        field, _colon, value = line.partition(b":")
        if not field:
            continue  # a comment, or an empty line
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return StreamItem(name, b"\n".join(data)) if data else None
