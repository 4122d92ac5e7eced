"""
Amazon's event stream (``application/vnd.amazon.eventstream``), read passively.

    u32 total | u32 headers | u32 crc32 of these eight | headers | payload | u32 crc32 of all before

Reference: https://smithy.io/2.0/aws/amazon-eventstream.html
Bytes in, items out; an item's name is ``:event-type``, or ``exception:`` and the exception's name, or ``error:`` and its code.
Splitting the input differently never changes the output.  After a gap, or a frame whose checksum is wrong, reading goes on at the next
place that is a frame by its own checksum; ``damaged`` says that something was passed over.
"""

from __future__ import annotations

import struct
import zlib

from agent.model import StreamItem

# Amazon's own limits are 24 MiB for a frame and 128 KiB for its headers; the frames of models have some hundred bytes.
MAX_FRAME_BYTES = 8 * 1024 * 1024
_MAX_HEADERS_BYTES = 128 * 1024
PRELUDE_BYTES = 12
_LEAST_BYTES = 16
_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
# The sizes of header values by type: true, false, byte, short, integer, long, bytes, string, timestamp, uuid; None is a u16 and that many.
_VALUE_BYTES = (0, 0, 1, 2, 4, 8, None, None, 8, 16)
_STRING = 7
# A stream has a handful of different headers, all of them again and again; a hostile one has more, which are read each time.
_MAX_REMEMBERED = 64


def is_frame(prelude: bytes) -> bool:
    """Whether these twelve bytes begin a frame; one in four billion others does too."""
    if len(prelude) < PRELUDE_BYTES:
        return False
    total, headers, checksum = _PRELUDE.unpack_from(prelude)
    sizes_fit = _LEAST_BYTES <= total <= MAX_FRAME_BYTES and headers <= min(total - _LEAST_BYTES, _MAX_HEADERS_BYTES)
    return bool(sizes_fit and zlib.crc32(prelude[:8]) == checksum)


class EventStreamParser:
    __slots__ = ("_carry", "_lost", "_names", "_need", "damaged")

    def __init__(self) -> None:
        self._carry = bytearray()
        """The frame under way.  Grows in place."""
        self._need = PRELUDE_BYTES
        """With fewer bytes than this there is nothing to do."""
        self._names: dict[bytes, str | None] = {}
        """From the bytes of all headers to the item's name; None: no item."""
        self._lost = False
        """Where the next frame begins is not known."""
        self.damaged = False
        """Bytes were passed over that no gap accounts for."""

    @property
    def buffered_bytes(self) -> int:
        return len(self._carry)

    def receive(self, data: bytes) -> list[StreamItem]:
        """The events that ``data`` completes."""
        carry = self._carry
        carry += data
        items: list[StreamItem] = []
        if len(carry) < self._need:
            return items
        at, size = 0, len(carry)
        self._need = PRELUDE_BYTES
        while size - at >= PRELUDE_BYTES:
            prelude = bytes(carry[at : at + PRELUDE_BYTES])
            if not is_frame(prelude):
                self.damaged = self.damaged or not self._lost
                self._lost = True
                at = _next_zero(carry, at + 1)
                continue
            total, headers, _ = _PRELUDE.unpack(prelude)
            if size - at < total:
                self._need = total
                break
            frame = bytes(carry[at : at + total])
            if zlib.crc32(frame[:-4]) != _CRC.unpack_from(frame, total - 4)[0]:
                self.damaged = self.damaged or not self._lost
                self._lost = True
                at = _next_zero(carry, at + 1)
                continue
            self._lost = False
            at += total
            payload = PRELUDE_BYTES + headers
            name = self._name(frame[PRELUDE_BYTES:payload])
            if name is not None:
                items.append(StreamItem(name, frame[payload:-4]))
        del carry[:at]
        return items

    def gap(self) -> None:
        """Bytes are missing here."""
        self._carry.clear()
        self._need = PRELUDE_BYTES
        self._lost = True

    def close(self) -> list[StreamItem]:
        """The stream ended: a frame that is not complete is none."""
        self._carry.clear()
        return []

    def _name(self, headers: bytes) -> str | None:
        if headers in self._names:
            return self._names[headers]
        name = _name_in(headers)
        if len(self._names) < _MAX_REMEMBERED and len(headers) < 512:
            self._names[headers] = name
        return name


def _next_zero(carry: bytearray, at: int) -> int:
    """A frame is smaller than 16 MiB, so its first byte is 0."""
    found = carry.find(b"\0", at)
    return found if found >= 0 else len(carry)


def _name_in(data: bytes) -> str | None:
    headers = _headers(data)
    match headers.get(":message-type", "event"):
        case "event":
            return headers.get(":event-type", "")
        case "exception":
            return "exception:" + headers.get(":exception-type", "")
        case "error":
            return "error:" + headers.get(":error-code", "")
    return None


def _headers(data: bytes) -> dict[str, str]:
    """Strings alone; what makes no sense ends them, as the checksum says that it was sent so."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        name = data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
        kind = data[at] if at < len(data) else len(_VALUE_BYTES)
        at += 1
        if kind >= len(_VALUE_BYTES):
            break
        size = _VALUE_BYTES[kind]
        if size is None:
            size = int.from_bytes(data[at : at + 2], "big")
            at += 2
        if kind == _STRING:
            found[name.decode("utf-8", "replace")] = data[at : at + size].decode("utf-8", "replace")
        at += size
    return found
