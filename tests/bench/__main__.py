"""
``make bench``: every benchmark, or those named: ``make bench ARGS="capture_cost agent_cpu"``.

Prints one JSON object on standard output and a table for people on standard error.  Needs root.
"""

from __future__ import annotations

import os
import sys

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
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"bench: no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("bench: needs root, for BPF (run: sudo make bench)", file=sys.stderr)
        return 2
    results, failed = [], []
    for name in names:
        try:
            results += BENCHMARKS[name]()
        except (AssertionError, OSError, RuntimeError) as error:
            # The figures of the others stand; this one has none.
            print(f"bench: {name} failed: {error}", file=sys.stderr)
            failed.append(name)
    show(results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
