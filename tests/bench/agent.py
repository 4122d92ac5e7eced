"""The agent of a benchmark: ``podtab run`` in a process of its own, watching only the benchmark's clients."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

# /proc/PID/comm of the benchmark's clients: nobody else on the machine gets into the figures.
CLIENTS = ("client", "pair", "bench-python", "bench-node")
_PATIENCE_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Agent:
    process: subprocess.Popen[bytes]
    port: int
    seconds_to_ready: float

    def metrics(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(_get(self.port, "/metrics")[1]):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
        return samples

    def calls(self, evidence: str = "") -> int:
        """Calls counted so far, all or with one evidence."""
        counted = self.metrics().get("podtab_calls_total", [])
        return int(sum(value for labels, value in counted if not evidence or labels["evidence"] == evidence))

    def lost(self) -> float:
        """Bytes that the kernel side could not hand over."""
        events = self.metrics()["podtab_capture_kernel_events_total"]
        return sum(value for labels, value in events if labels["event"] in ("ring_lost_bytes", "unreadable_bytes"))

    def settled_calls(self, evidence: str = "", expected: int = 0) -> int:
        """Calls once no more are coming."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < 1.5:
            now = self.calls(evidence)
            if expected and now >= expected:
                return now
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.2)
        return seen

    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mib(self) -> dict[str, float]:
        """Resident, and the part of it that is not backed by files."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        values = {
            line.split(":")[0]: int(line.split()[1]) / 1024
            for line in status.splitlines()
            if line.startswith(("VmRSS", "RssAnon"))
        }
        return {"rss": values["VmRSS"], "anonymous": values["RssAnon"]}


@contextmanager
def agent(folder: Path, *, cpu: int | None = None, ring_bytes: int = 64 * 1024**2) -> Iterator[Agent]:
    """Started and ready; stopped afterwards."""
    port = _free_port()
    config = folder / "podtab.yaml"
    config.write_text(
        f"capture: {{ring_bytes: {ring_bytes}}}\nattribution: {{source: host}}\n"
        f"selection: {{process_names: [{', '.join(CLIENTS)}]}}\nlogging: {{level: warning}}\n"
    )
    pin = ["taskset", "-c", str(cpu)] if cpu is not None else []
    command = [
        sys.executable,
        "-c",
        "from agent.cli import main; main()",
        "run",
        "--config",
        config,
        "--listen",
        f"127.0.0.1:{port}",
    ]
    started = time.monotonic()
    with subprocess.Popen([*pin, *command]) as process:
        try:
            while _get(port, "/readyz")[0] != 200:
                if process.poll() is not None or time.monotonic() - started > _PATIENCE_SECONDS:
                    raise RuntimeError("the agent did not get ready")
                time.sleep(0.02)
            yield Agent(process=process, port=port, seconds_to_ready=time.monotonic() - started)
        finally:
            process.terminate()


def _get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def _free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
