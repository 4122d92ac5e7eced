"""(5): resident memory at start and with 10,000 open connections, each of which has made a call."""

from __future__ import annotations

import resource

from tests.bench.agent import agent
from tests.bench.answers import document
from tests.bench.clients import Load, connected, go
from tests.bench.native_tools import server, workspace
from tests.bench.report import Result, progress

CONNECTIONS = 10_000


def run() -> list[Result]:
    progress(f"memory at start and with {CONNECTIONS:,} connections")
    # A descriptor each at the client and at the provider.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = Load(answer="json", connections=CONNECTIONS, calls=CONNECTIONS, rate=2000)
    with (
        workspace() as folder,
        server(folder, {"json": document(2048)}) as port,
        agent(folder, ring_bytes=16 * 1024**2) as watcher,
    ):
        start = watcher.memory_mib()
        with connected("C", folder, port, load) as client:
            go(client)
            seen = watcher.settled_calls(expected=CONNECTIONS)
            full = watcher.memory_mib()
            still_open = watcher.metrics()["podtab_open_connections"][0][1]
    note = f"{full['anonymous']:.0f} MiB of it not backed by files; {seen:,} calls seen, {still_open:,.0f} connections open"
    return [
        Result(
            name="memory at start",
            value=start["rss"],
            unit="MiB",
            goal=150,
            note=f"{start['anonymous']:.0f} MiB of it not backed by files",
        ),
        Result(
            name=f"memory with {CONNECTIONS:,} open connections", value=full["rss"], unit="MiB", goal=150, note=note
        ),
    ]
