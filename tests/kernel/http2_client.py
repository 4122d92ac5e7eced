"""
HTTP/2 by Python's ``h2`` over the system's TLS, told on standard input: ``open``, ``call NUMBER`` (so many at once), ``reset`` (give up an answer
in its middle), ``close``.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded

HEAD = [
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", "api.openai.com"),
    (":path", "/v1/chat/completions"),
    ("authorization", "Bearer sk-demo-http2"),
    ("content-type", "application/json"),
]


def body(number: int) -> bytes:
    asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
    return json.dumps(
        asked | ({"stream": True, "stream_options": {"include_usage": True}} if number % 2 else {})
    ).encode()


class Connection:
    def __init__(self, port: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        name = os.environ.get("SERVER_NAME")
        self._socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=name)
        self._talk = H2Connection(H2Configuration())
        self._talk.initiate_connection()

    def ask(self, number: int) -> int:
        stream_id = self._talk.get_next_available_stream_id()
        self._talk.send_headers(stream_id, HEAD)
        self._talk.send_data(stream_id, body(number), end_stream=True)
        return stream_id

    def events(self) -> list[object]:
        self._socket.sendall(self._talk.data_to_send())
        events = self._talk.receive_data(self._socket.recv(65_536))
        for event in events:
            if isinstance(event, DataReceived):
                self._talk.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        return list(events)

    def call(self, count: int) -> None:
        for number in range(count):
            self.ask(number)
        while count:
            count -= sum(isinstance(event, StreamEnded) for event in self.events())

    def reset(self) -> None:
        stream_id = self.ask(1)
        while not any(isinstance(event, DataReceived) for event in self.events()):
            pass
        self._talk.reset_stream(stream_id, 8)
        self._socket.sendall(self._talk.data_to_send())

    def close(self) -> None:
        self._talk.close_connection()
        self._socket.sendall(self._talk.data_to_send())
        self._socket.close()


def main() -> None:
    connection: Connection | None = None
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "open":
            connection = Connection(int(sys.argv[1]))
        elif connection is not None:
            getattr(connection, word)(*map(int, numbers))
        print(f"ok {os.getpid()}", flush=True)


if __name__ == "__main__":
    main()
