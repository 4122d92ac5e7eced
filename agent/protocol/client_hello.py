"""
What a client says in the clear when it opens TLS (RFC 8446, 4.1.2): the server's name (RFC 6066, 3) and the protocols that it offers (RFC 7301).

Bytes of the connection in, one ClientHello out.  Splitting the input differently never changes the output.  Of one that ends too early, or into which a
gap falls, what stands before that is told, and that it is not whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.model import ProtocolError

# With a key share that resists quantum computers one has 1,800 bytes, with a ticket and an encrypted one inside 4,000.
MAX_HELLO_BYTES = 16 * 1024
_MAX_RECORD_BYTES = 1 << 14
# Eight letters each, and two or three of them.
_MAX_PROTOCOLS = 16
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _PROTOCOLS, _ENCRYPTED = 0, 16, 0xFE0D
# Letters, digits, hyphens (RFC 6066 has them in ASCII), and the underscores that some clusters' names have.
_HOST = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello:
    server_name: str
    """Lower case, without a dot at the end; "" where it says none."""
    protocols: tuple[str, ...]
    """ALPN, in the client's order."""
    encrypted: bool
    """It has ``encrypted_client_hello``: the name may be the one in front, and the true one inside.  Some clients send one that is only noise."""
    whole: bool
    """False: bytes behind what was read are missing, so what is not told here may stand there."""


class ClientHelloParser:
    __slots__ = ("_header", "_left", "_message", "_over")

    def __init__(self) -> None:
        self._header = bytearray()
        """Of the record under way; its five bytes may come one by one."""
        self._left = 0
        """Bytes of that record that are still to come."""
        self._message = bytearray()
        self._over = False

    @property
    def buffered_bytes(self) -> int:
        return len(self._header) + len(self._message)

    def receive(self, data: bytes) -> list[ClientHello]:
        """Raises ProtocolError where it is no ClientHello."""
        at = 0
        while at < len(data) and not self._over:
            if not self._left:
                part = data[at : at + 5 - len(self._header)]
                self._header += part
                at += len(part)
                if len(self._header) == 5:
                    self._left = _record_bytes(self._header)
                    self._header.clear()
                continue
            part = data[at : at + self._left]
            self._message += part
            self._left -= len(part)
            at += len(part)
            size = self._size()
            if size is not None and len(self._message) >= 4 + size:
                return [self._finish(size)]
        return []

    def gap(self) -> list[ClientHello]:
        """Bytes are missing here."""
        return self.close()

    def close(self) -> list[ClientHello]:
        """No more bytes."""
        if self._over or self._size() is None:
            self._over = True
            return []
        return [self._finish(None)]

    def _size(self) -> int | None:
        """Of the message, behind its head; None while that is not here."""
        if self._message and self._message[0] != _CLIENT_HELLO:
            raise ProtocolError(f"handshake begins with message {self._message[0]}")
        if len(self._message) < 4:
            return None
        size = int.from_bytes(self._message[1:4], "big")
        if size > MAX_HELLO_BYTES:
            raise ProtocolError(f"ClientHello of {size} bytes")
        return size

    def _finish(self, size: int | None) -> ClientHello:
        self._over = True
        body = bytes(self._message[4:] if size is None else self._message[4 : 4 + size])
        self._message.clear()
        return read(body, whole=size is not None)


def read(body: bytes, *, whole: bool) -> ClientHello:
    """Of the message behind its head, or of its beginning."""
    name, encrypted = "", False
    protocols: tuple[str, ...] = ()
    seen = set()
    for kind, content in _extensions(_Cursor(body), whole=whole):
        if kind in seen:
            raise ProtocolError(f"extension {kind} twice")
        seen.add(kind)
        if kind == _SERVER_NAME:
            name = _server_name(_Cursor(content))
        elif kind == _PROTOCOLS:
            protocols = _protocols(_Cursor(content))
        encrypted = encrypted or kind == _ENCRYPTED
    return ClientHello(server_name=name, protocols=protocols, encrypted=encrypted, whole=whole)


class _EndsError(ProtocolError):
    """A length leads beyond the end."""


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise _EndsError(f"{size} bytes of a ClientHello expected, {self.left} there")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int) -> bytes:
        return self.take(self.number(length_size))


def _extensions(cursor: _Cursor, *, whole: bool) -> Iterator[tuple[int, bytes]]:
    """Those that are here."""
    try:
        cursor.take(2 + 32)  # version, random
        cursor.vector(1)  # session
        cursor.vector(2)  # ciphers
        cursor.vector(1)  # compression
        if not cursor.left:  # as before TLS 1.2 was extended
            return
        size = cursor.number(2)
        if size < cursor.left or (whole and size > cursor.left):
            raise ProtocolError(f"extensions of {size} bytes in {cursor.left}")
        while cursor.left:
            extension = cursor.number(2), cursor.vector(2)
            yield extension
    except _EndsError:
        if whole:
            raise


def _server_name(cursor: _Cursor) -> str:
    names = _Cursor(cursor.vector(2))
    found = ""
    while names.left:
        kind, name = names.number(1), names.vector(2)
        if kind or found:
            raise ProtocolError("a server's name of an unknown kind, or two of them")
        if not _HOST.fullmatch(name):
            raise ProtocolError(f"a server's name of {len(name)} bytes that is none")
        found = name.decode("ascii").lower().rstrip(".")
    return found


def _protocols(cursor: _Cursor) -> tuple[str, ...]:
    listed = _Cursor(cursor.vector(2))
    found: list[str] = []
    while listed.left:
        name = listed.vector(1)
        if len(found) == _MAX_PROTOCOLS:
            raise ProtocolError(f"more than {_MAX_PROTOCOLS} protocols")
        found.append(name.decode("latin-1"))
    return tuple(found)


def _record_bytes(header: bytearray) -> int:
    size = int.from_bytes(header[3:5], "big")
    if header[0] != _HANDSHAKE or header[1] != 3 or not 1 <= size <= _MAX_RECORD_BYTES:
        raise ProtocolError(f"no handshake record: type {header[0]}, version {header[1]}, {size} bytes")
    return size
