"""TLS inside TLS on one thread, as curl speaks through an HTTPS proxy: what the application said and heard is captured, and the proxy's connection beside it."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.model import Chunk, Direction
from tests.kernel import tls
from tests.kernel.web import HttpsServer

pytestmark = pytest.mark.kernel


class HttpsProxy:
    """CONNECT over TLS to one place, whatever is asked for."""

    def __init__(self, certificate: tuple[Path, Path], behind: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        try:
            plain, _ = self._listener.accept()
            with plain, self._context.wrap_socket(plain, server_side=True) as client:
                while b"\r\n\r\n" not in client.recv(65536):
                    pass
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                with socket.create_connection(("127.0.0.1", self._behind)) as server:
                    threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
                    self._pump(client, server)
        except OSError:
            return

    @staticmethod
    def _pump(here: socket.socket, there: socket.socket) -> None:
        try:
            while data := here.recv(65536):
                there.sendall(data)
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def web(certificates: tuple[Path, Path]) -> Iterator[HttpsServer]:
    server = HttpsServer(certificates)
    yield server
    server.close()


@pytest.fixture
def proxy(certificates: tuple[Path, Path], web: HttpsServer) -> Iterator[HttpsProxy]:
    made = HttpsProxy(certificates, web.port)
    yield made
    made.close()


def test_both_connections(kernel: Kernel, web: HttpsServer, proxy: HttpsProxy, tmp_path: Path) -> None:
    """Every byte of the inner one, in both directions; the outer one begins with CONNECT and carries no less than that."""
    if not shutil.which("curl"):
        pytest.skip("needs curl (scripts/test installs it)")
    # A copy that nobody else on this machine uses, so that all that is captured is this test's.
    private = shutil.copy(tls.LIBSSL, tmp_path / "libssl.so.3")
    curl = ["curl", "-sk", "--http1.1", "--proxy-insecure", "-x", f"https://127.0.0.1:{proxy.port}"]
    link = kernel.attach(private, tls.best_plan().sites)
    try:
        subprocess.run(
            [*curl, "--data-binary", "@-", "-o", tmp_path / "answer", web.url],
            input=b"p" * 30_000,
            env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(tmp_path), "HOME": str(tmp_path)},
            timeout=60,
            check=True,
        )
        happened = kernel.poll()
    finally:
        link.close()
    [(received, sent)] = web.calls
    (pid,) = {one.conn.pid for one in happened if isinstance(one, Chunk)}
    found = tls.streams(happened, pid)
    (inner,) = {conn for (conn, direction), data in found.items() if direction is Direction.SENT and data == received}
    assert found[inner, Direction.RECEIVED] == sent
    (outer,) = {conn for conn, _ in found} - {inner}
    assert found[outer, Direction.SENT].startswith(b"CONNECT ")
    assert len(found[outer, Direction.SENT]) > len(received)
    assert len(found[outer, Direction.RECEIVED]) > len(sent)
