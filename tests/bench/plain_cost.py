"""
What looking at plaintext adds to system calls: of everybody, and of a connection that is captured.

The tracepoint is the machine's, so one and the same process is measured with the agent's kernel side loaded and without it, in turn; ratios are
taken within a round and their median is told.  No agent reads the ring meanwhile: its own cost is another benchmark's.
"""

from __future__ import annotations

import subprocess
from contextlib import closing

from agent.capture.kernel import Kernel, KernelSettings
from tests.bench.native_tools import build, workspace
from tests.bench.report import Result, median, progress

ROUNDS = 3
# Enough for a tenth of a second, and what is captured fits into the ring.
TIMES = {"getppid": 400_000, "write": 400_000, "other": 40_000, "http": 8_000}
GOALS = {"getppid": 3.0, "write": 3.5, "other": 1.3, "http": 1.5}
"""So many times as long at most: next to nothing is a small thing to be compared with."""
NOTES = {
    "getppid": "the tracepoint itself, at every call of the machine",
    "write": "a file: one look",
    "other": "a socket whose bytes are no request: one look at each end",
    "http": "captured",
}


def run() -> list[Result]:
    progress("what looking at plaintext adds to system calls")
    times: dict[tuple[str, bool], list[float]] = {}
    with workspace() as folder, calls(str(build("calls", folder))) as program:
        for number in range(ROUNDS + 1):
            for loaded in (False, True):
                found = _round(program, loaded=loaded)
                if number:  # the first one warms up
                    for kind, value in found.items():
                        times.setdefault((kind, loaded), []).append(value)
    return [
        Result(
            name=f"with plaintext / without, {kind}",
            value=median([on / off for on, off in zip(times[kind, True], times[kind, False], strict=True)]),
            unit="×",
            goal=goal,
            raw={"without": median(times[kind, False]), "with": median(times[kind, True])},
            note=f"adds {median([on - off for on, off in zip(times[kind, True], times[kind, False], strict=True)]):.0f} ns to "
            f"{median(times[kind, False]):.0f}; {NOTES[kind]}",
        )
        for kind, goal in GOALS.items()
    ]


def _round(program: subprocess.Popen[str], *, loaded: bool) -> dict[str, float]:
    if not loaded:
        return {kind: nanoseconds(program, kind, TIMES[kind]) for kind in TIMES}
    with closing(Kernel(KernelSettings(plaintext_ports=()))) as kernel:
        found = {kind: nanoseconds(program, kind, TIMES[kind]) for kind in TIMES}
        counters = kernel.counters()
    assert counters["captured_bytes"] >= 512 * TIMES["http"], "what should have been captured was not"
    assert not counters["records_dropped"], "the figures would flatter capture"
    return found


def calls(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def nanoseconds(program: subprocess.Popen[str], kind: str, times: int) -> float:
    """Of one call."""
    assert program.stdin
    assert program.stdout
    program.stdin.write(f"{kind} {times}\n")
    program.stdin.flush()
    return float(program.stdout.readline())
