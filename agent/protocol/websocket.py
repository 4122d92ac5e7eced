"""
One direction of a WebSocket (RFC 6455), read from the side: frames in, whole messages out.

    fin rsv1-3 opcode | mask bit, 7 bits of length | 0, 2 or 8 bytes of length | 4 bytes of mask or none | payload

Splitting the input differently never changes the messages.  A gap inside a payload costs the message it falls into, as the frame's
length says where the next one begins.  After any other gap nothing says so: the direction is lost.  A direction whose compression
remembers earlier messages (RFC 7692, context takeover) is lost with the first compressed byte.

Our own reader, because wsproto is an endpoint: it wants the handshake, answers pings, and can't be told that bytes are missing.
"""

from __future__ import annotations

import enum
import re
import zlib
from dataclasses import dataclass

from agent.model import Message, ProtocolError

# OpenAI takes 15 MiB of sound in one event, and an answer with pictures is of that size; both are base64.
MAX_MESSAGE_BYTES = 24 * 1024 * 1024
# Silence as base64 compresses 250 times when one message after the other is alike; a bomb a thousand times.
_MAX_RATIO = 500
_RATIO_APPLIES_FROM_BYTES = 32 * 1024 * 1024
_INFLATED_AT_ONCE_BYTES = 256 * 1024
# zlib's state and its window of 32 KiB.
_INFLATER_BYTES = 40 * 1024
# RFC 7692, 7.2.2: what the sender took off the end of each message.
_TAIL = b"\x00\x00\xff\xff"
_LONGEST_CONTROL_BYTES = 125
_CLOSE = 8
_BITS = re.compile(r"8|9|1[0-5]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deflate:
    """What was agreed about the compression of one direction."""

    keeps_context: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What both sides agreed on; None: no compression."""

    client: Deflate | None = None
    server: Deflate | None = None


def agreed(extensions: str) -> Agreed:
    """The ``Sec-WebSocket-Extensions`` of a 101.  Raises ProtocolError for an extension that changes frames in a way we don't know."""
    found: Agreed | None = None
    for one in filter(None, (part.strip() for part in extensions.split(","))):
        name, *parameters = (part.strip() for part in one.split(";"))
        if name.lower() != "permessage-deflate" or found is not None:
            raise ProtocolError("a WebSocket extension that we do not know")
        names = set()
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            key, value = key.strip().lower(), value.strip().strip('"')
            names.add(key)
            # The window's size needs no memory of its own: what was written with a small one is read with the largest.
            if key in ("client_max_window_bits", "server_max_window_bits"):
                if value and not _BITS.fullmatch(value):
                    raise ProtocolError("permessage-deflate with a window that is none")
            elif key not in ("client_no_context_takeover", "server_no_context_takeover") or value:
                raise ProtocolError("permessage-deflate with a parameter that we do not know")
        found = Agreed(
            client=Deflate(keeps_context="client_no_context_takeover" not in names),
            server=Deflate(keeps_context="server_no_context_takeover" not in names),
        )
    return found or Agreed()


class _State(enum.Enum):
    HEADER = enum.auto()
    PAYLOAD = enum.auto()
    OVER = enum.auto()
    """Nothing more is read: the direction was closed, or is lost."""


class WebSocketReader:
    __slots__ = (
        "_compressed",
        "_damage",
        "_deflate",
        "_final",
        "_header",
        "_in_bytes",
        "_inflate",
        "_left",
        "_mask",
        "_message",
        "_opcode",
        "_open",
        "_out_bytes",
        "_phase",
        "_state",
        "ended",
        "lost",
    )

    def __init__(self, deflate: Deflate | None = None) -> None:
        self._deflate = deflate
        self._inflate: zlib._Decompress | None = None
        """From the first compressed byte on, and only for as long as it remembers what is referred to."""
        self._in_bytes = self._out_bytes = 0
        """Of the compression, in this direction."""
        self._state = _State.HEADER
        self._header = b""
        self._left = 0
        """Bytes of the frame's payload that are still to come."""
        self._mask = b""
        self._phase = 0
        """Which byte of the mask the next byte of the payload takes."""
        self._opcode = 0
        self._final = False
        self._message = bytearray()
        """The message under way, decompressed.  Grows in place."""
        self._open = False
        """A message has begun, and its last frame has not ended."""
        self._compressed = False
        self._damage = ""
        """Why the message under way can't be given."""
        self.lost = False
        """Where the next frame begins, or what its bytes mean, is not known: nothing more will come."""
        self.ended = False
        """This side said goodbye."""

    @property
    def buffered_bytes(self) -> int:
        return len(self._message) + len(self._header) + (_INFLATER_BYTES if self._inflate is not None else 0)

    def receive(self, data: bytes) -> list[Message]:
        """The messages that ``data`` completes.  Raises ProtocolError."""
        out: list[Message] = []
        at = 0
        while at < len(data) or (self._state is _State.PAYLOAD and not self._left):
            if self._state is _State.HEADER:
                at = self._receive_header(data, at)
            elif self._state is _State.PAYLOAD:
                piece = data[at : at + self._left] if at or len(data) > self._left else data
                at += len(piece)
                self._left -= len(piece)
                if piece and self._opcode < _CLOSE:
                    self._take(piece)
                if not self._left:
                    self._end_frame(out)
            else:
                break
        return out

    def gap(self, size: int) -> list[Message]:
        """``size`` bytes are missing here; 0 where unknown."""
        out: list[Message] = []
        if self._state is _State.OVER:
            return out
        inside = self._state is _State.PAYLOAD and 0 < size <= self._left
        forgets = self._opcode >= _CLOSE or not self._compressed or not (self._deflate and self._deflate.keeps_context)
        if not (inside and forgets):
            self._lose(out)
            return out
        self._left -= size
        self._phase = (self._phase + size) % 4
        if self._opcode < _CLOSE:
            self._spoil("gap")
        if not self._left:
            self._end_frame(out)
        return out

    def close(self) -> list[Message]:
        """The connection ended: a message that is not whole is told."""
        out = [Message(b"", self._damage or "cut")] if self._open else []
        self._stop()
        return out

    # ----------------------------------------------------------------------------------------------------------- frames

    def _receive_header(self, data: bytes, at: int) -> int:
        """Where the payload begins, or the end of ``data`` if the header is longer than that."""
        known = len(self._header)
        header = self._header + data[at : at + 14 - known]
        need = 2
        if len(header) >= 2:
            length = header[1] & 127
            need += {126: 2, 127: 8}.get(length, 0) + (4 if header[1] & 128 else 0)
        if len(header) < need:
            self._header = header
            return len(data)
        self._header = b""
        self._begin_frame(header[:need])
        return at + need - known

    def _begin_frame(self, header: bytes) -> None:
        self._opcode = header[0] & 15
        self._final = bool(header[0] & 128)
        length, masked = header[1] & 127, bool(header[1] & 128)
        if length == 126:
            length = int.from_bytes(header[2:4], "big")
        elif length == 127:
            length = int.from_bytes(header[2:10], "big")
        if length >> 63:
            raise ProtocolError("a WebSocket frame of more than 2^63 bytes")
        self._mask = header[-4:] if masked else b""
        self._phase = 0
        self._left = length
        self._state = _State.PAYLOAD
        reserved = header[0] & 0x70
        if self._opcode >= _CLOSE:
            if self._opcode > 10 or reserved or not self._final or length > _LONGEST_CONTROL_BYTES:
                raise ProtocolError("a WebSocket control frame that is none")
            return
        if self._opcode > 2 or (self._opcode == 0) != self._open:
            raise ProtocolError("a WebSocket frame out of turn")
        if self._opcode:
            self._open = True
            self._compressed = reserved == 0x40
            if reserved and not (self._compressed and self._deflate):
                raise ProtocolError("a WebSocket frame with a bit of no extension")
        elif reserved:
            raise ProtocolError("a WebSocket frame with a bit of no extension")

    def _end_frame(self, out: list[Message]) -> None:
        self._state = _State.HEADER
        if self._opcode == _CLOSE:
            self.ended = True
            out += self.close()
            return
        if self._opcode > _CLOSE or not self._final:
            return
        if self._compressed and self._deflate is not None:
            if not self._damage or self._deflate.keeps_context:
                self._decompress(_TAIL)
            if not self._deflate.keeps_context or (self._inflate is not None and self._inflate.eof):
                self._inflate = None
        out.append(Message(b"" if self._damage else bytes(self._message), self._damage))
        self._message = bytearray()
        self._open = False
        self._damage = ""

    # ---------------------------------------------------------------------------------------------------------- payload

    def _take(self, piece: bytes) -> None:
        if self._damage and not (self._compressed and self._deflate and self._deflate.keeps_context):
            self._phase = (self._phase + len(piece)) % 4
            return
        if self._mask:
            phase = self._phase
            self._phase = (phase + len(piece)) % 4
            piece = unmask(piece, self._mask[phase:] + self._mask[:phase])
        if self._compressed:
            self._decompress(piece)
        else:
            self._keep(piece)

    def _decompress(self, piece: bytes) -> None:
        self._in_bytes += len(piece)
        allowed = max(_RATIO_APPLIES_FROM_BYTES, _MAX_RATIO * self._in_bytes)
        try:
            while piece:
                # RFC 7692, 7.2.3.4: a last block inside a message.  Nobody is known to refer back behind one.
                if self._inflate is None or self._inflate.eof:
                    self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
                inflated = self._inflate.decompress(piece, _INFLATED_AT_ONCE_BYTES)
                piece = self._inflate.unused_data or self._inflate.unconsumed_tail
                self._out_bytes += len(inflated)
                if self._out_bytes > allowed:
                    raise ProtocolError(f"{self._in_bytes} bytes of messages became more than {allowed}")
                self._keep(inflated)
        except zlib.error:
            raise ProtocolError(f"a WebSocket message broken after {self._in_bytes} compressed bytes") from None

    def _keep(self, piece: bytes) -> None:
        if self._damage:
            return  # decompressed for what comes after it
        if len(self._message) + len(piece) > MAX_MESSAGE_BYTES:
            self._spoil("too_long")
        else:
            self._message += piece

    def _spoil(self, reason: str) -> None:
        self._damage = self._damage or reason
        self._message = bytearray()

    def _lose(self, out: list[Message]) -> None:
        self.lost = True
        out.append(Message(b"", "lost"))
        self._stop()

    def _stop(self) -> None:
        self._state = _State.OVER
        self._open = False
        self._message = bytearray()
        self._header = b""
        self._left = 0
        self._inflate = None


def unmask(piece: bytes, mask: bytes) -> bytes:
    """As one large number: a hundred times faster than byte by byte."""
    size = len(piece)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(piece, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")
