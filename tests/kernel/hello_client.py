"""
Asks a model over TLS by a name of its choice: ``hello_client.py HOST PORT NAME [split]``; ``split``: its first words in TLS leave in several packets.

The model's name is the port, so that a call says where it went; of the host the request says no more than the address.
"""

import json
import os
import socket
import ssl
import sys

HOST, PORT, NAME, SPLIT = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:] == ["split"]


def context() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.maximum_version = ssl.TLSVersion[os.environ["TLS"]]
    return made


class Connection:
    """Carries the library's bytes itself, as asyncio does."""

    def __init__(self) -> None:
        self._socket = socket.create_connection((HOST, PORT))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context().wrap_bio(self._arrived, self._leaving, server_hostname=NAME)
        self._piece = 100  # of its first words

    def do(self, what: str, *arguments: object) -> object:
        while True:
            try:
                return getattr(self._tls, what)(*arguments)
            except ssl.SSLWantReadError:
                self._send()
                self._arrived.write(self._socket.recv(65536))
            finally:
                self._send()

    def _send(self) -> None:
        data = self._leaving.read()
        for at in range(0, len(data), self._piece):
            self._socket.sendall(data[at : at + self._piece])
        if data:
            self._piece = 65536


def request() -> bytes:
    body = json.dumps({"model": f"port-{PORT}", "messages": [{"role": "user", "content": "hello"}]})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n{body}".encode()


if SPLIT:
    connection = Connection()
    connection.do("do_handshake")
    connection.do("write", request())
    heard = b""
    while b"}}" not in heard:
        heard += connection.do("read", 4096)  # type: ignore[operator]
else:
    with context().wrap_socket(socket.create_connection((HOST, PORT)), server_hostname=NAME) as plain:
        plain.sendall(request())
        heard = b""
        while b"}}" not in heard:
            heard += plain.recv(4096)
