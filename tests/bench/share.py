"""
(7): the share of calls whose usage was extracted, from three kinds of clients under three kinds of load.

What peers lose under these loads is in the references; here nothing may be missing.
"""

from __future__ import annotations

import shutil

from tests.bench.agent import agent
from tests.bench.answers import document, stream
from tests.bench.clients import Load, warm
from tests.bench.clients import run as run_client
from tests.bench.native_tools import server, workspace
from tests.bench.report import Result, progress

LOADS = {
    "300-chunk streams, 100/s": Load(answer="sse", connections=20, calls=400, rate=100),
    "2 KB JSON, 500/s": Load(answer="json", connections=20, calls=2500, rate=500),
    "20 KB answers in bursts, 8 connections": Load(answer="big", connections=8, calls=400),
}
BURSTS = 3


def run() -> list[Result]:
    results = []
    answers = {"sse": stream(300), "json": document(2048), "big": document(20_000)}
    kinds = ["C", "CPython", *(["Node"] if shutil.which("node") else [])]
    with workspace() as folder, server(folder, answers) as port:
        for kind in kinds:
            for name, load in LOADS.items():
                progress(f"share of calls read: {kind}, {name}")
                with agent(folder) as watcher:
                    warm(kind, folder, port, load.answer)
                    before = watcher.settled_calls("reported")
                    rounds = BURSTS if not load.rate else 1
                    walls = [run_client(kind, folder, port, load).wall_s for _ in range(rounds)]
                    made = load.calls * rounds
                    seen = watcher.settled_calls("reported", expected=before + made) - before
                note = f"{seen:,} of {made:,} calls; {made / sum(walls):,.0f} calls/s"
                results.append(
                    Result(
                        name=f"{kind}: {name}", value=100 * seen / made, unit="%", goal=100, better="higher", note=note
                    )
                )
    return results
