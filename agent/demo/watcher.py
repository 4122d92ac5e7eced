"""
The agent of the demo: ``podtab run`` as anybody would start it, in a process of its own.

On the machine itself, not in the private namespaces: it sees through them, and Prometheus can reach it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.demo import scrape
from agent.demo.pods import Pod, pod_list
from agent.demo.sandbox import Sandbox
from agent.model import PodtabError

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.1
# The installed command may be out of reach of PATH under sudo; its entry point is not.
_COMMAND = "import sys; from agent.cli import main; sys.argv[0] = 'podtab'; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    process: subprocess.Popen[str]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/metrics"

    def metrics(self) -> str:
        """The page as it is now."""
        self.check()
        return scrape.get(HOST, self.port, "/metrics")[1]

    def check(self) -> None:
        if self.process.poll() is not None:
            raise PodtabError(f"the agent ended with exit code {self.process.returncode}: {_last_line(self.log)}")

    def stop(self) -> int:
        """As an operator does: SIGTERM, and patience.  Returns the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def start(box: Sandbox, pods: Sequence[Pod], config: str = "") -> Watcher:
    """Returns when its probes are on.  ``config``: text of a configuration file, beside what the options say."""
    listing, log = box.folder / "pods.json", box.folder / "agent.log"
    listing.write_text(json.dumps(pod_list(pods)), encoding="utf-8")
    port = _free_port()
    settings = box.folder / "config.yaml"
    settings.write_text(config, encoding="utf-8")
    options = ("--config", settings, "--pod-list", listing, "--listen", f"{HOST}:{port}", "--log-level", "warning")
    with log.open("w", encoding="utf-8") as errors:
        process = box.start(
            [sys.executable, "-c", _COMMAND, "run", *options],
            group="agent",
            environment=dict(os.environ),
            inside=False,
            errors=errors,
        )
    watcher = Watcher(process=process, port=port, log=log)
    deadline = time.monotonic() + START_SECONDS
    while scrape.get(HOST, port, "/readyz")[0] != 200:
        watcher.check()
        if time.monotonic() > deadline:
            raise PodtabError(f"the agent was not ready after {START_SECONDS:.0f} s: {_last_line(log)}")
        time.sleep(POLL_SECONDS)
    return watcher


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
