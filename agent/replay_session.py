"""
A recorded WebSocket session as the bytes of its connection: the handshake, then a frame a message.

Like exchanges, sessions are recorded without their framing: ``url``, and ``messages`` with ``direction``, ``kind`` and ``data_b64``.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from agent.model import Direction
from agent.protocol.websocket import Deflate, agreed, unmask

_TEXT, _BINARY = 1, 2
# RFC 6455, 5.3: clients choose it by chance; here one for all, so that a replay is always the same.
_MASK = b"\x37\xfa\x21\x3d"
_DIRECTIONS = {"sent": Direction.SENT, "received": Direction.RECEIVED}


def session_bytes(session: Mapping[str, Any], extensions: str, target: str) -> Iterator[tuple[Direction, bytes]]:
    """What each side says, in turn.  ``extensions`` is what the server agrees to, as its header says it; ``target`` the url's."""
    offer = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
    # The url as it was, so a port stays.
    host = urlsplit(str(session["url"])).netloc.rpartition("@")[2]
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    yield Direction.SENT, f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{upgrade}{offer}\r\n".encode()
    yield Direction.RECEIVED, f"HTTP/1.1 101 Recorded\r\n{upgrade}{offer}\r\n".encode()
    deflate = agreed(extensions)
    writers = {
        Direction.SENT: _Writer(deflate.client, masked=True),
        Direction.RECEIVED: _Writer(deflate.server, masked=False),
    }
    for name, messages in groupby(session["messages"], key=lambda message: message["direction"]):
        direction = _DIRECTIONS[name]
        yield direction, b"".join(writers[direction].frame(message) for message in messages)


class _Writer:
    """One side's frames."""

    def __init__(self, deflate: Deflate | None, *, masked: bool) -> None:
        self._deflate = deflate
        self._masked = masked
        self._compress = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)

    def frame(self, message: Mapping[str, Any]) -> bytes:
        payload = base64.b64decode(str(message["data_b64"]), validate=True)
        first = 0x80 | (_BINARY if message["kind"] == "binary" else _TEXT)
        if self._deflate is not None:
            first |= 0x40
            # RFC 7692, 7.2.1: without the last four bytes.
            payload = (self._compress.compress(payload) + self._compress.flush(zlib.Z_SYNC_FLUSH))[:-4]
            if not self._deflate.keeps_context:
                self._compress = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        size, mask_bit = len(payload), 0x80 if self._masked else 0
        if size < 126:
            head = bytes((first, mask_bit | size))
        elif size < 1 << 16:
            head = bytes((first, mask_bit | 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((first, mask_bit | 127)) + size.to_bytes(8, "big")
        return head + (_MASK + unmask(payload, _MASK) if self._masked else payload)
