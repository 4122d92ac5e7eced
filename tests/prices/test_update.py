"""Newer tables from a file or a mirror."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.prices import update
from agent.prices.files import PriceFileError
from agent.prices.update import fetch, install
from tests.prices.test_files import TABLES


@pytest.fixture
def mirror() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/data.json" else 404)
            self.end_headers()
            self.wfile.write(TABLES)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_mirror_inside_the_cluster(mirror: str) -> None:
    """By http, as mirrors inside clusters speak."""
    assert fetch(f"{mirror}/data.json") == TABLES


def test_a_mirror_that_fails_is_one_sentence(mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not found, too large, no address at all."""
    with pytest.raises(PriceFileError, match="can't be fetched"):
        fetch(f"{mirror}/other.json")
    monkeypatch.setattr(update, "MAX_BYTES", 8)
    with pytest.raises(PriceFileError, match="larger than"):
        fetch(f"{mirror}/data.json")
    with pytest.raises(PriceFileError, match="give a file"):
        fetch("file:///etc/passwd")


def test_only_whole_tables_are_put_in_place(tmp_path: Path) -> None:
    """What is broken leaves the old file as it was, and nothing lies about."""
    target = tmp_path / "data.json"
    assert install("x", TABLES, target).edition.startswith("genai-prices file ")
    with pytest.raises(PriceFileError):
        install("x", b"[", target)
    assert target.read_bytes() == TABLES
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(PriceFileError, match="can't be written"):
        install("x", TABLES, tmp_path / "none" / "data.json")
