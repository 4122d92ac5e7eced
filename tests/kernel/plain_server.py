"""A fake of a model server inside the cluster, plain HTTP as vLLM and Ollama speak it, or TLS, that keeps books."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOSTS = ("127.0.0.1", "127.0.0.2", "::1", "127.0.0.1")
"""Where the servers are of whom several are asked."""
# Longer than a poll: who asks and is gone by then may stay unknown.
ANSWERS_AFTER = 0.05


@dataclass(frozen=True, slots=True, order=True)
class Served:
    """One answer."""

    api: str
    model: str
    streaming: bool
    input_tokens: int
    output_tokens: int


class PlainServer:
    """Runs in threads of the tests' own process, so both ends of every call are on this machine."""

    def __init__(
        self, host: str = "127.0.0.1", *, certificate: tuple[Path, Path] | None = None, answers_after: float = 0
    ) -> None:
        self.books: list[Served] = []
        self.seen: list[dict[str, str]] = []
        """Headers of the requests."""
        books, seen = self.books, self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                seen.append({name.lower(): value for name, value in self.headers.items()})
                asked = json.loads(self._body())
                time.sleep(answers_after)
                # Another number for every call: what is taken twice, or for another one, does not add up.
                number = len(books) + 1
                served = Served(
                    api="ollama/chat" if self.path == "/api/chat" else "openai/chat",
                    model=asked["model"],
                    streaming=bool(asked.get("stream")),
                    input_tokens=100 + number,
                    output_tokens=7 * number,
                )
                books.append(served)
                answer = _ollama(served) if served.api == "ollama/chat" else _openai(served, number)
                self.send_response(200)
                if served.streaming:
                    ndjson = served.api == "ollama/chat"
                    self.send_header("Content-Type", "application/x-ndjson" if ndjson else "text/event-stream")
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for piece in (*answer, b""):
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                else:
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer[0])))
                    self.end_headers()
                    self.wfile.write(answer[0])

            def _body(self) -> bytes:
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers["Content-Length"]))
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

        class Listener(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            request_queue_size = 128

        self._server = Listener((host, 0), Handler)
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            # Each connection's handshake is its own thread's business.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = int(self._server.server_address[1])
        named = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if certificate else 'http'}://{named}:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _openai(served: Served, number: int) -> list[bytes]:
    usage = {
        "prompt_tokens": served.input_tokens,
        "completion_tokens": served.output_tokens,
        "total_tokens": served.input_tokens + served.output_tokens,
    }
    about: dict[str, Any] = {"id": f"chatcmpl-{number}", "created": 1, "model": served.model}
    if not served.streaming:
        choice = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
        return [json.dumps({**about, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()]
    about["object"] = "chat.completion.chunk"
    said = [
        {**about, "choices": [{"index": 0, "delta": {"content": "yes"}, "finish_reason": None}]},
        {**about, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**about, "choices": [], "usage": usage},
    ]
    return [b"data: %s\n\n" % json.dumps(one).encode() for one in said] + [b"data: [DONE]\n\n"]


def _ollama(served: Served) -> list[bytes]:
    about = {"model": served.model, "created_at": "2026-01-01T00:00:00Z"}
    last = {
        **about,
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "total_duration": 5,
        "prompt_eval_count": served.input_tokens,
        "eval_count": served.output_tokens,
    }
    first = {**about, "message": {"role": "assistant", "content": "yes"}, "done": False}
    return [json.dumps(one).encode() + b"\n" for one in ((first, last) if served.streaming else (last,))]
