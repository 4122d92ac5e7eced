"""The agent as the demo sees it; starting the real one is in tests/kernel/."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from agent.demo.watcher import HOST, Watcher
from agent.model import PodtabError

SLEEPER = [sys.executable, "-c", "import time; time.sleep(100)"]


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"podtab_up 1\n")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer((HOST, 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_dead_agent_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The agent's own sentence is the one that helps."""
    log = tmp_path / "agent.log"
    log.write_text("noise\npodtab: needs CAP_BPF: run as root\n")
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"], text=True) as process:
        process.wait()
    with pytest.raises(PodtabError, match=r"exit code 3: podtab: needs CAP_BPF: run as root"):
        Watcher(process=process, port=1, log=log).metrics()
    log.write_text("")
    with pytest.raises(PodtabError, match="it said nothing"):
        Watcher(process=process, port=1, log=log).check()


def test_a_living_agent_is_scraped_and_stopped(tmp_path: Path, port: int) -> None:
    """By its page, and by SIGTERM."""
    with subprocess.Popen(SLEEPER, text=True) as process:
        watcher = Watcher(process=process, port=port, log=tmp_path / "agent.log")
        assert watcher.metrics() == "podtab_up 1\n"
        assert watcher.url.endswith(f":{port}/metrics")
        assert watcher.stop() == -15
