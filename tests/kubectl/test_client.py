"""The real client against a server on loopback: bounds, and a kubeconfig's namespace."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from agent.kubectl import client
from agent.kubectl.client import Access, KubectlError, TimedOutError, UnreachableError, connect


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(1 if self.path == "/x?a=b" else 50):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = tmp_path / "config"
    file.write_text(
        yaml.safe_dump(
            {
                "current-context": "here",
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
            }
        )
    )
    yield connect(kubeconfig=str(file), parallel=2, timeout_seconds=0.5)
    server.shutdown()
    server.server_close()


def test_an_answer_and_the_contexts_namespace(access: Access) -> None:
    """With the query."""
    assert access.namespace == "shop"
    assert access.api.get("/x", {"a": "b"}, accept="text/plain").body == b"x"


def test_an_answer_that_drips_is_late(access: Access) -> None:
    """Though a byte comes every now and then."""
    started = time.monotonic()
    with pytest.raises(TimedOutError):
        access.api.get("/drip", {}, accept="text/plain")
    assert time.monotonic() - started < 2


def test_an_answer_without_end_is_cut(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its size."""
    monkeypatch.setattr(client, "MAX_BYTES", 3)
    with pytest.raises(UnreachableError, match="larger than 3 bytes"):
        access.api.get("/drip", {}, accept="text/plain")


def test_a_kubeconfig_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    """A file that is missing, is no YAML, or is something else."""
    (tmp_path / "b").write_text("{")
    (tmp_path / "c").write_text("[1]")
    for name in "abc":
        with pytest.raises(KubectlError, match="no access to a cluster"):
            connect(kubeconfig=str(tmp_path / name), parallel=1, timeout_seconds=1)
