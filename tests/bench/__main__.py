"""
``make bench``: every benchmark, or those named: ``make bench ARGS="capture_cost agent_cpu"``; ``ARGS="peers --peer NAME=PROGRAM"`` puts
another peer beside us.

Prints one JSON object on standard output and a table for people on standard error.  Needs root.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial

from tests.bench import (
    agent_cpu,
    capture_cost,
    client_cpu,
    core,
    go_cost,
    http2,
    memory,
    packet_cost,
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
    "packet_cost": packet_cost.run,
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
    parser = argparse.ArgumentParser(
        prog="bench",
        description="Measure what podtab costs, as ratios: one JSON object on standard output, progress and a table on standard error. "
        "As root, on a machine that does nothing else. What was found, and how to read it: docs/benchmarks.md.",
        epilog='For instance: make bench ARGS="http2 peers --peer agentsight=/opt/sslsniff" 2>table.txt >figures.json',
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which; without any, all of: {', '.join(BENCHMARKS)}")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        type=peers.named,
        metavar="NAME=PROGRAM",
        help="another program that `peers` measures on the same clients, beside bcc's sslsniff: agentsight, or any that prints what it reads",
    )
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
        began = time.monotonic()
        print(f"bench: {name} …", file=sys.stderr)
        try:
            results += benchmarks[name]()
        except (AssertionError, OSError, RuntimeError) as error:
            # The figures of the others stand; this one has none.
            print(f"bench: {name} failed: {error}", file=sys.stderr)
            failed.append(name)
        print(f"bench: {name} took {time.monotonic() - began:.0f} s", file=sys.stderr)
    show(results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
