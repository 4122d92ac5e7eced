"""(6): from the start of the agent until its probes are in place, with 100 processes that use TLS."""

from __future__ import annotations

import subprocess

from tests.bench.agent import agent
from tests.bench.native_tools import build, own_library, workspace
from tests.bench.report import Result, median, progress

PROCESSES = 100
ROUNDS = 5


def run() -> list[Result]:
    progress(f"start-up with {PROCESSES} processes")
    with workspace() as folder:
        program, environment = build("pair", folder), own_library(folder)
        processes = [
            subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment)
            for _ in range(PROCESSES)
        ]
        try:
            times = []
            for _ in range(ROUNDS):
                with agent(folder) as watcher:
                    probed = {labels["state"]: value for labels, value in watcher.metrics()["podtab_capture_libraries"]}
                    assert probed["probed"] >= 1
                    times.append(watcher.seconds_to_ready)
        finally:
            for process in processes:
                process.kill()
                process.communicate()
    return [Result(name=f"start to probes in place, {PROCESSES} processes", value=median(times), unit="s", goal=2.0)]
