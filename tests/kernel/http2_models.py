"""A fake of a model server in HTTP/2 over TLS: OpenAI's chat, and Gemini's in gRPC.  As ``plain_server``, it runs in threads of the tests' own process."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

# usage_metadata: {prompt_token_count: 3, candidates_token_count: 5}
_GEMINI = b"\x22\x04\x08\x03\x10\x05"
_OPENAI = {"object": "chat.completion", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}


class Http2Model:
    def __init__(self, host: str, certificate: tuple[Path, Path], answers_after: float) -> None:
        self._answers_after = answers_after
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._context.set_alpn_protocols(["h2"])
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"https://{f'[{host}]' if ':' in host else host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        talk = H2Connection(H2Configuration(client_side=False))
        asked: dict[int, tuple[bool, bytes]] = {}
        try:
            with plain, self._context.wrap_socket(plain, server_side=True) as connection:
                talk.initiate_connection()
                connection.sendall(talk.data_to_send())
                while data := connection.recv(65536):
                    for event in talk.receive_data(data):
                        if isinstance(event, RequestReceived):
                            grpc = (b"content-type", b"application/grpc") in event.headers
                            asked[event.stream_id] = grpc, b""
                        elif isinstance(event, DataReceived):
                            grpc, before = asked[event.stream_id]
                            asked[event.stream_id] = grpc, before + event.data
                            talk.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                        elif isinstance(event, StreamEnded):
                            time.sleep(self._answers_after)
                            _answer(talk, event.stream_id, *asked.pop(event.stream_id))
                    connection.sendall(talk.data_to_send())
        except OSError:
            return  # a client that went without a goodbye


def _answer(talk: H2Connection, stream_id: int, grpc: bool, body: bytes) -> None:
    kind = "application/grpc" if grpc else "application/json"
    talk.send_headers(stream_id, [(":status", "200"), ("content-type", kind)])
    if grpc:
        talk.send_data(stream_id, b"\0" + len(_GEMINI).to_bytes(4, "big") + _GEMINI)
        talk.send_headers(stream_id, [("grpc-status", "0")], end_stream=True)
    else:
        answer = {**_OPENAI, "model": json.loads(body)["model"]}
        talk.send_data(stream_id, json.dumps(answer).encode(), end_stream=True)
