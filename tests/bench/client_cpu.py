"""(8): CPU time that capture adds to a client for one 300-chunk answer."""

from __future__ import annotations

from tests.bench.agent import agent
from tests.bench.answers import stream
from tests.bench.clients import Load, warm
from tests.bench.clients import run as run_client
from tests.bench.native_tools import server, workspace
from tests.bench.report import Result, median, progress

LOAD = Load(answer="sse", connections=4, calls=300)
ROUNDS = 5


def run() -> list[Result]:
    progress("client CPU added to a 300-chunk answer")
    without, watched = [], []
    with workspace() as folder, server(folder, {"sse": stream(300)}) as port:
        for _ in range(ROUNDS):
            without.append(run_client("C", folder, port, LOAD).cpu_s * 1000 / LOAD.calls)
            with agent(folder):
                warm("C", folder, port, "sse")
                watched.append(run_client("C", folder, port, LOAD).cpu_s * 1000 / LOAD.calls)
    added = median(watched) - median(without)
    return [
        Result(
            name="client CPU added to one 300-chunk answer",
            value=added,
            unit="ms",
            goal=1.0,
            note=f"{median(watched):.2f} ms against {median(without):.2f} without the agent",
        )
    ]
