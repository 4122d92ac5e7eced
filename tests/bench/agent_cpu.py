"""
(3) and (4): what the agent itself costs, and how much it bears.

Its whole CPU time, threads and scrapes included, next to a loop that only parses the same JSON; then the highest rate at which
nothing is lost, with the agent on one core.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.bench.agent import agent
from tests.bench.answers import document, document_body, stream, stream_events
from tests.bench.clients import Load, run, warm
from tests.bench.native_tools import server, workspace
from tests.bench.report import Result, median, progress

CHUNKS = 300
JSON_BYTES = 2048
ROUNDS = 3


def run_all() -> list[Result]:
    progress("the agent's own CPU time")
    with workspace() as folder, server(folder, {"json": document(JSON_BYTES), "sse": stream(CHUNKS)}) as port:
        return [*_cost(folder, port), *_limit(folder, port)]


def _cost(folder: Path, port: int) -> list[Result]:
    results = []
    for name, load, goal, yardstick in (
        (
            "2 KB JSON calls",
            Load(answer="json", connections=16, calls=4000, rate=500),
            0.2,
            [document_body(JSON_BYTES)],
        ),
        (f"{CHUNKS}-chunk streams", Load(answer="sse", connections=16, calls=400, rate=60), 1.5, stream_events(CHUNKS)),
    ):
        costs = []
        with agent(folder) as watcher:
            warm("C", folder, port, load.answer)
            for _ in range(ROUNDS):
                calls = watcher.settled_calls()
                before = watcher.cpu_seconds()
                run("C", folder, port, load)
                watcher.settled_calls(expected=calls + load.calls)
                costs.append((watcher.cpu_seconds() - before) * 1000 / load.calls)
                counted = watcher.calls() - calls
                assert counted == load.calls, (
                    f"{counted} of {load.calls} calls were counted: the cost is of something else"
                )
        parse_only = _parse_only(yardstick) * 1000
        results.append(
            Result(
                name=f"agent CPU for 1,000 {name}",
                value=median(costs),
                unit="s",
                goal=goal,
                note=f"json.loads of the same bytes alone: {parse_only:.3f} s",
                raw={"json_loads_s": parse_only},
            )
        )
    return results


def _parse_only(events: list[bytes]) -> float:
    """Seconds to parse one answer's JSON, and nothing else."""
    rounds = max(1, 20_000 // len(events))
    began = time.process_time()
    for _ in range(rounds):
        for event in events:
            json.loads(event)
    return (time.process_time() - began) / rounds


def _limit(folder: Path, port: int) -> list[Result]:
    """Rates are raised until a call is missing or a byte lost."""
    progress("the highest rate without loss, agent on one core")
    results = []
    for name, unit, answer, rates, weight, goal in (
        ("JSON calls without loss, agent on one core", "calls/s", "json", (1000, 2000, 3000, 4000, 6000), 1, 3000),
        (
            "SSE chunks without loss, agent on one core",
            "chunks/s",
            "sse",
            (66, 133, 200, 233, 266, 333),
            CHUNKS + 2,
            60_000,
        ),
    ):
        best = 0.0
        for rate in rates:
            load = Load(answer=answer, connections=32, calls=rate * 4, rate=rate)
            with agent(folder, cpu=1) as watcher:
                warm("C", folder, port, answer)
                before = watcher.settled_calls("reported")
                ran = run("C", folder, port, load)
                expected = before + load.calls
                complete = watcher.settled_calls("reported", expected=expected) >= expected and not watcher.lost()
            reached = ran.calls * weight / ran.wall_s
            if not complete:
                break
            best = max(best, reached)
            if reached < 0.9 * rate * weight:
                break  # client and provider have no more to give on the other core
        results.append(Result(name=name, value=best, unit=unit, goal=goal, better="higher"))
    return results
