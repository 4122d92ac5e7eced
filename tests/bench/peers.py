"""
Side by side with a peer: bcc's sslsniff (Debian: bpfcc-tools), with probes on OpenSSL's ``_ex`` functions too, on the same clients.

sslsniff prints what it reads and understands nothing; podtab also finds the usage and prices it.  A call counts as read where its usage
came out.  Others that one would like to see here can't be had from package registries: OBI, nudgebee's and Coroot's agents, AgentSight.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.capture import source
from tests.bench.agent import agent
from tests.bench.answers import document, stream
from tests.bench.clients import Load, Ran, warm
from tests.bench.clients import run as run_client
from tests.bench.native_tools import own_library, server, workspace
from tests.bench.report import Result, median, progress
from tests.bench.sslsniff import INSTALLED

# At the end of each answer, once.
_USAGE = b'"total_tokens"'
_PATIENCE_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
LOADS = {
    "2 KB JSON, 300/s": Load(answer="json", connections=16, calls=1500, rate=300),
    "20 KB answers in bursts, 8 connections": Load(answer="big", connections=8, calls=400),
    "300-chunk streams, 40/s": Load(answer="sse", connections=16, calls=160, rate=40),
}
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one watcher made of one load."""

    share: float
    watcher_cpu_s: float
    client_cpu_s: float


Watch = Callable[[Path, int, str, Load], Seen]


def run() -> list[Result]:
    if not INSTALLED.exists():
        raise RuntimeError(f"{INSTALLED} is not there: apt-get install bpfcc-tools")
    results: list[Result] = []
    answers = {"sse": stream(300), "json": document(2048), "big": document(20_000)}
    with workspace() as folder, server(folder, answers) as port:
        for kind in ("C", "CPython"):
            for name, load in LOADS.items():
                progress(f"beside sslsniff: {kind}, {name}")
                # In turns, so that what else the machine does falls on both.
                rounds = [
                    (_podtab(folder, port, kind, load), _sslsniff(folder, port, kind, load)) for _ in range(ROUNDS)
                ]
                bare = median([run_client(kind, folder, port, load).cpu_s for _ in range(ROUNDS)])
                results += _compare(f"{kind}: {name}", load.calls, bare, *zip(*rounds, strict=True))
    return results


def _compare(
    name: str, calls: int, bare_cpu_s: float, ours: tuple[Seen, ...], theirs: tuple[Seen, ...]
) -> list[Result]:
    def of(seen: tuple[Seen, ...], figure: str) -> float:
        return median([getattr(one, figure) for one in seen])

    def added_us(seen: tuple[Seen, ...]) -> float:
        return max((of(seen, "client_cpu_s") - bare_cpu_s) * 1e6 / calls, 0.0)

    share, other = of(ours, "share"), of(theirs, "share")
    # Of a call that was read: what is lost costs nothing.
    cpu, other_cpu = (
        of(seen, "watcher_cpu_s") * 1000 / max(calls * of(seen, "share") / 100, 1) for seen in (ours, theirs)
    )
    added, other_added = added_us(ours), added_us(theirs)
    return [
        Result(name=f"{name}: calls read", value=share, unit="%", goal=max(other, 100), better="higher",
               note=f"sslsniff {other:.0f} %", raw={"sslsniff": other}),
        Result(name=f"{name}: watcher's CPU for 1,000 calls that it read", value=cpu, unit="s", goal=other_cpu,
               note=f"sslsniff {other_cpu:.2f} s, which prints and does not parse", raw={"sslsniff": other_cpu}),
        Result(name=f"{name}: client CPU added to a call", value=added, unit="µs", goal=other_added,
               note=f"sslsniff {other_added:.0f} µs", raw={"sslsniff": other_added}),
    ]  # fmt: skip


def _podtab(folder: Path, port: int, kind: str, load: Load) -> Seen:
    with agent(folder) as watcher:
        warm(kind, folder, port, load.answer)
        calls, cpu = watcher.settled_calls("reported"), watcher.cpu_seconds()
        ran = run_client(kind, folder, port, load)
        seen = watcher.settled_calls("reported", expected=calls + load.calls) - calls
        return _seen(seen, load, watcher.cpu_seconds() - cpu, ran)


def _sslsniff(folder: Path, port: int, kind: str, load: Load) -> Seen:
    with _sniffing(folder) as (process, output):
        warm(kind, folder, port, load.answer)
        _settled(output)
        calls, cpu = _usages(output), _cpu_seconds(process.pid)
        ran = run_client(kind, folder, port, load)
        _settled(output)
        return _seen(_usages(output) - calls, load, _cpu_seconds(process.pid) - cpu, ran)


def _seen(calls: int, load: Load, cpu_s: float, ran: Ran) -> Seen:
    return Seen(share=100 * calls / load.calls, watcher_cpu_s=cpu_s, client_cpu_s=ran.cpu_s)


@contextmanager
def _sniffing(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    library = next(Path(own_library(folder)["LD_LIBRARY_PATH"]).glob("libssl*"))
    output = folder / "sniffed"
    command = [
        sys.executable,
        "-u",
        Path(__file__).with_name("sslsniff.py"),
        library,
        "--ex",
        "--max-buffer-size",
        "16384",
    ]
    environment = {**os.environ, "BCC_KERNEL_SOURCE": str(source.folder() / "headers")}
    with output.open("wb") as sink, subprocess.Popen(command, stdout=sink, stderr=sink, env=environment) as process:
        try:
            started = time.monotonic()
            # Its header comes once everything is attached.
            while b"FUNC" not in output.read_bytes():
                if process.poll() is not None or time.monotonic() - started > _PATIENCE_SECONDS:
                    raise RuntimeError(f"sslsniff did not start: {output.read_text(errors='replace')[-2000:]}")
                time.sleep(0.05)
            yield process, output
        finally:
            process.kill()


def _usages(output: Path) -> int:
    return output.read_bytes().count(_USAGE)


def _settled(output: Path) -> None:
    """It prints no more."""
    size = -1
    while (now := output.stat().st_size) != size:
        size = now
        time.sleep(1.0)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
