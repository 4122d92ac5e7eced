"""
The agent's own HTTP server: /metrics, /healthz, /readyz, and the routes that it is given.

Few threads, short time-outs, no request body: whoever connects can't cost much.  What a browser shows of it may load nothing from
elsewhere, and nobody else's page may frame or read it.
"""

from __future__ import annotations

import gzip
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from urllib.parse import parse_qsl

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from agent.model import PodtabError

# Prometheus, a kubelet's two probes and a person; more at once is not our business.
_MAX_CONCURRENT = 16
_TIMEOUT_SECONDS = 10
_MAX_PARAMETERS = 16
# Label names repeat in every line: a page of metrics shrinks to a thirtieth.  Below this the head would be most of it.
_PACK_FROM_BYTES = 16 * 1024
_TEXT = "text/plain; charset=utf-8"
# No inline script or style either: a name that a pod chose can't become one.
_SECURITY_HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)

Query = Mapping[str, str]
"""Parameters of a request, each once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a route says."""

    status: int = 200
    body: bytes
    content_type: str
    cache: str = "no-store"


Route = Callable[[Query], Answer]


class ListenError(PodtabError):
    """The address can't be listened on."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _TIMEOUT_SECONDS
    server: HttpServer
    server_version = "podtab"
    sys_version = ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        route = self.server.routes.get(path)
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, encode(self.server.registry), content_type)
        elif path == "/healthz":
            self._answer_health(self.server.healthy)
        elif path == "/readyz":
            self._answer_health(self.server.ready)
        elif route is not None:
            self._answer_route(route, query)
        else:
            self._answer(404, self.server.not_found, _TEXT)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer_route(self, route: Route, query: str) -> None:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            self._answer(400, f"at most {_MAX_PARAMETERS} parameters\n".encode(), _TEXT)
            return
        if len(dict(pairs)) < len(pairs):
            self._answer(400, b"each parameter once\n", _TEXT)
            return
        answer = route(dict(pairs))
        self._answer(answer.status, answer.body, answer.content_type, answer.cache)

    def _answer_health(self, why_not: Callable[[], str]) -> None:
        reason = why_not()
        self._answer(503 if reason else 200, f"{reason or 'ok'}\n".encode(), _TEXT)

    def _answer(self, status: int, body: bytes, content_type: str, cache: str = "no-store") -> None:
        packed = len(body) >= _PACK_FROM_BYTES and "gzip" in self.headers.get("Accept-Encoding", "")
        if packed:
            body = gzip.compress(body, compresslevel=1)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", cache)
        for name, value in _SECURITY_HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Scrapes are not news."""


class HttpServer(ThreadingHTTPServer):
    """``healthy`` and ``ready`` say why not, or "".  Other paths are told what there is, and ``hint``."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        *,
        healthy: Callable[[], str],
        ready: Callable[[], str],
        routes: Mapping[str, Route] = MappingProxyType({}),
        hint: str = "",
    ) -> None:
        self.registry = registry
        self.routes = routes
        self.not_found = f"podtab: {', '.join(filter(None, ('/metrics, /healthz, /readyz', hint)))}\n".encode()
        self.healthy = healthy
        self.ready = ready
        self._room = threading.BoundedSemaphore(_MAX_CONCURRENT)
        # "" means all addresses, of IPv6 too: a cluster may have nothing else.
        dual = not host and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if dual or ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise ListenError(
                f"{host or '*'}:{port}: can't listen: {error.strerror}; choose another with --listen"
            ) from None

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6 and not self.server_address[0]:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not the base class's: it asks DNS for our name, and a node may start before its DNS.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: object, client_address: object) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is not an error of ours; anything else is, and is told."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name="http", daemon=True).start()
