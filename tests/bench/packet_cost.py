"""
What seeing packets leave adds to sending: of everybody on the machine, as the program sits on the root of the cgroups.

One and the same process sends with the program there and without it, in turn; ratios are taken within a round and their median is told.  Nothing that it
sends is a TLS library's, so what is measured is the look that every packet pays.
"""

from __future__ import annotations

import subprocess
from contextlib import closing

from agent.capture.kernel import Kernel, KernelSettings
from tests.bench.native_tools import build, workspace
from tests.bench.plain_cost import calls, nanoseconds
from tests.bench.report import Result, median, progress

ROUNDS = 9
KIND, TIMES = "other", 40_000  # 512 bytes over a TCP connection of its own, sent and received
GOAL = 1.05


def run() -> list[Result]:
    progress("what seeing packets leave adds to sending")
    without, seen = [], []
    with workspace() as folder, calls(str(build("calls", folder))) as program:
        for number in range(ROUNDS + 1):
            off, on = nanoseconds(program, KIND, TIMES), _with_packets(program)
            if number:  # the first one warms up
                without.append(off)
                seen.append(on)
    added = median([on - off for on, off in zip(seen, without, strict=True)])
    return [
        Result(
            name="with packets seen / without, 512 bytes over TCP",
            value=median([on / off for on, off in zip(seen, without, strict=True)]),
            unit="×",
            goal=GOAL,
            raw={"without": median(without), "with": median(seen)},
            note=f"adds {added:.0f} ns to {median(without):.0f}: a packet there and what it takes of an acknowledgement",
        )
    ]


def _with_packets(program: subprocess.Popen[str]) -> float:
    with closing(Kernel(KernelSettings())) as kernel:
        assert not kernel.egress.problem, kernel.egress.problem
        return nanoseconds(program, KIND, TIMES)
