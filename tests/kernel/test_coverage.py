"""Coverage, end to end: a real agent, and for each reason a real process; what it says on /metrics and what ``podtab coverage`` prints."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.demo import scrape
from agent.model import CoverageReason
from tests.kernel.tls import FOLDER, Client

pytestmark = pytest.mark.kernel

PODTAB = [sys.executable, "-c", "import sys; from agent.cli import main; sys.argv[0] = 'podtab'; main()"]
# By the reason that each is to have; the configuration selects all but the last.
NAMES = {
    CoverageReason.READABLE: "cov-readable",
    CoverageReason.CANNOT_DECRYPT: "cov-garbage",
    CoverageReason.MISSED_START: "cov-old",
    CoverageReason.BYTES_LOST: "cov-lossy",
    CoverageReason.NOT_SELECTED: "cov-left-out",
}
CONFIG = """
listen: 127.0.0.1:{port}
capture: {{max_copy_bytes: 16384}}
selection: {{process_names: [cov-readable, cov-garbage, cov-old, cov-lossy]}}
attribution: {{source: host}}
logging: {{level: warning}}
"""
PATIENCE_SECONDS = 30


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def provider(certificates: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The fake provider's port."""
    folder = tmp_path_factory.mktemp("provider")
    (folder / "server.pem").write_bytes(b"".join(part.read_bytes() for part in certificates))
    command = [sys.executable, "-m", "agent.demo.provider", "--port", "0", "--certificate", folder / "server.pem"]
    with subprocess.Popen([*command, "--books", folder / "books.jsonl"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline().split()[1])
        process.terminate()


class Agent:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        (folder / "config.yaml").write_text(CONFIG.format(port=self.port))
        self.process = subprocess.Popen([*PODTAB, "run", "--config", folder / "config.yaml"])

    def ready(self) -> None:
        wait(lambda: scrape.get("127.0.0.1", self.port, "/readyz")[0] == 200)

    def told(self) -> dict[str, dict[str, Any]]:
        """What the command prints as JSON, by process name."""
        command = [*PODTAB, "coverage", "--json", "--url", f"127.0.0.1:{self.port}"]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        return {one["name"]: one for pod in json.loads(said)["pods"] for one in pod["processes"]}

    def counted(self) -> Counter[str]:
        """The gauge, by reason."""
        counts: Counter[str] = Counter()
        for family in text_string_to_metric_families(scrape.get("127.0.0.1", self.port, "/metrics")[1]):
            for sample in family.samples:
                if sample.name == "podtab_workload_coverage":
                    counts[sample.labels["reason"]] += int(sample.value)
        return counts


def wait(enough: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not enough():
        assert time.monotonic() < end, "out of patience"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def told(provider: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, dict[str, Any]], Any]]:
    """All five processes beside one agent; what is said once nothing changes any more, and the agent."""
    if os.geteuid():
        pytest.skip("needs root: real probes")
    folder = tmp_path_factory.mktemp("coverage")
    garbage = folder / "libssl.so.3"
    garbage.write_bytes(b"\x7fELF and then nothing that a loader would take" * 200)

    def client(reason: CoverageReason) -> Client:
        # The kernel names a process by the path it was started with.
        program = folder / NAMES[reason]
        program.symlink_to(sys.executable)
        made = Client([str(program), "-I", "-S", str(FOLDER / "coverage_client.py")], provider)
        stack.callback(made.kill)
        return made

    with contextlib.ExitStack() as stack:
        old = client(CoverageReason.MISSED_START)
        old.say("open", "begin")
        agent = Agent(folder)
        stack.callback(agent.process.wait)
        stack.callback(agent.process.terminate)
        agent.ready()
        old.say("finish")
        client(CoverageReason.READABLE).say("open", "call 100")
        client(CoverageReason.CANNOT_DECRYPT).say(f"map {garbage}")
        client(CoverageReason.BYTES_LOST).say("open", "call 200000")
        client(CoverageReason.NOT_SELECTED).say("open", "call 100")
        expected = {NAMES[reason]: reason for reason in CoverageReason}
        # A late library is found within seconds, a call is counted when its answer is whole; what is wrong then stays so.
        end = time.monotonic() + PATIENCE_SECONDS / 2
        while {name: agent.told().get(name, {}).get("reason") for name in expected} != expected:
            if time.monotonic() > end:
                break
        yield agent.told(), agent


@pytest.mark.parametrize("reason", CoverageReason)
def test_each_reason_is_said_of_its_process(told: Any, reason: CoverageReason) -> None:
    """With what to do about it, but for those that are read; a process that nobody selected is told as such."""
    one = told[0][NAMES[reason]]
    assert one["reason"] == reason
    assert one["library"]
    assert bool(one["remedy"]) == (reason is not CoverageReason.READABLE)


def test_the_gauge_counts_the_same(told: Any) -> None:
    """Every reason at least once; of those that only selected processes have, exactly as often as the command says."""
    counts = told[1].counted()
    assert set(counts) == set(CoverageReason)
    assert {counts[reason] for reason in CoverageReason if reason is not CoverageReason.NOT_SELECTED} == {1}


def test_without_the_right_to_load_programs_it_never_says_ready(tmp_path: Path) -> None:
    """It ends with one sentence that says what is missing, instead of standing there and seeing nothing."""
    if os.geteuid():
        pytest.skip("needs root: takes capabilities away")
    (tmp_path / "config.yaml").write_text(CONFIG.format(port=free_port()))
    drop = ["setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin"]
    ended = subprocess.run(
        [*drop, *PODTAB, "run", "--config", tmp_path / "config.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == 1
    assert "podtab doctor" in ended.stderr.splitlines()[-1]


def test_without_the_right_to_see_processes_it_is_not_ready(tmp_path: Path) -> None:
    """Programs load and stay without work: /readyz says why."""
    if os.geteuid():
        pytest.skip("needs root: takes capabilities away")
    port = free_port()
    (tmp_path / "config.yaml").write_text(
        f"listen: 127.0.0.1:{port}\nattribution: {{source: host}}\nlogging: {{level: error}}\n"
    )
    drop = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
    process = subprocess.Popen([*drop, *PODTAB, "run", "--config", tmp_path / "config.yaml"])
    try:
        wait(lambda: "SYS_PTRACE" in scrape.get("127.0.0.1", port, "/readyz")[1])
        assert scrape.get("127.0.0.1", port, "/readyz")[0] == 503
        assert scrape.get("127.0.0.1", port, "/healthz")[0] == 200
    finally:
        process.terminate()
        process.wait()
