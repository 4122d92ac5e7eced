"""
``make bench``: every benchmark, or those named: ``make bench ARGS="capture_cost agent_cpu"``; ``ARGS="peers --peer NAME=PROGRAM"`` puts
another peer beside us.

Prints one JSON object on standard output and a table for people on standard error.  Needs root.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

from tests.bench import (
    agent_cpu,
    capture_cost,
    client_cpu,
    core,
    go_cost,
    http2,
    memory,
    peers,
    plain_cost,
    search,
    share,
    startup,
)
from tests.bench.report import Benchmark, show

BENCHMARKS: dict[str, Benchmark] = {
    "capture_cost": capture_cost.run,
    "go_cost": go_cost.run,
    "plain_cost": plain_cost.run,
    "agent_cpu": agent_cpu.run_all,
    "core": core.run,
    "http2": http2.run,
    "memory": memory.run,
    "startup": startup.run,
    "search": search.run,
    "share": share.run,
    "client_cpu": client_cpu.run,
    "peers": peers.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--peer", action="append", default=[], type=peers.named, metavar="NAME=PROGRAM")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if os.geteuid() != 0:
        print("bench: needs root, for BPF (run: sudo make bench)", file=sys.stderr)
        return 2
    results, failed = [], []
    benchmarks = {**BENCHMARKS, "peers": partial(peers.run, asked.peer)}
    for name in asked.names or benchmarks:
        try:
            results += benchmarks[name]()
        except (AssertionError, OSError, RuntimeError) as error:
            # The figures of the others stand; this one has none.
            print(f"bench: {name} failed: {error}", file=sys.stderr)
            failed.append(name)
    show(results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
