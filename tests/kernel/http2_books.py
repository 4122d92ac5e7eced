"""A TLS server that speaks just enough HTTP/2 to answer one gRPC call, and keeps the bytes of both directions."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from pathlib import Path

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _HEADERS, _ACK, _END = 4, 1, 1, 0x5


def _literal(name: bytes, value: bytes) -> bytes:
    """A header without indexing, RFC 7541 6.2.2; both shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


ANSWER = _frame(
    _HEADERS,
    _END,  # END_STREAM and END_HEADERS: an answer of trailers only
    1,
    b"\x88"
    + _literal(b"content-type", b"application/grpc")
    + _literal(b"grpc-status", b"12")
    + _literal(b"grpc-message", b"nobody does this here"),
)


class Http2Server:
    """One connection at a time; ``received`` and ``sent`` of each."""

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._context.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.received: list[bytearray] = []
        self.sent: list[bytearray] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        received, sent = bytearray(), bytearray()
        self.received.append(received)
        self.sent.append(sent)
        try:
            with plain, self._context.wrap_socket(plain, server_side=True) as connection:

                def say(data: bytes) -> None:
                    sent.extend(data)
                    connection.sendall(data)

                say(_frame(_SETTINGS, 0, 0, b""))
                read, answered = len(PREFACE), False
                while data := connection.recv(65536):
                    received += data
                    while len(received) >= read + 9:
                        length = int.from_bytes(received[read : read + 3], "big")
                        kind, flags = received[read + 3], received[read + 4]
                        stream = int.from_bytes(received[read + 5 : read + 9], "big")
                        if len(received) < read + 9 + length:
                            break
                        read += 9 + length
                        if kind == _SETTINGS and not flags & _ACK:
                            say(_frame(_SETTINGS, _ACK, 0, b""))
                        if stream == 1 and not kind and not answered:  # the request's DATA
                            answered = True
                            say(ANSWER)
        except OSError:
            return  # a client that went without a goodbye

    def close(self) -> None:
        self._listener.close()
