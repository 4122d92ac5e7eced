"""An HTTPS server that keeps the bytes of both directions, for programs that can't be told what to say."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from pathlib import Path

ANSWER = bytes((i * 11 + (i >> 8)) & 255 for i in range(50_000))
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n"


class HttpsServer:
    """One answer a connection, always the same; ``calls`` are (received, sent) of each.  With ``keep`` the connection stays open behind it."""

    def __init__(
        self, certificate: tuple[Path, Path], address: tuple[str, int] = ("127.0.0.1", 0), *, keep: bool = False
    ) -> None:
        self._answer = _HEAD % (len(ANSWER), b"keep-alive" if keep else b"close") + ANSWER
        self._keep = keep
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._listener = socket.create_server(address)
        self.port = self._listener.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}/path"
        self.calls: list[tuple[bytes, bytes]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
                with plain, self._context.wrap_socket(plain, server_side=True) as connection:
                    received = _request(connection)
                    self.calls.append((received, self._answer))
                    connection.sendall(self._answer)
                    if not self._keep:
                        connection.unwrap()
                    else:
                        connection.recv(1)  # until the client goes
            except ssl.SSLError:
                continue  # a client that went without a goodbye
            except OSError:
                return

    def close(self) -> None:
        self._listener.close()


def _request(connection: ssl.SSLSocket) -> bytes:
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
        if end and len(body) >= int(length[1] if length else 0):
            return data
        part = connection.recv(65536)
        if not part:
            return data
        data += part
