"""
Side by side with peers on the same clients: bcc's sslsniff (Debian: bpfcc-tools), with probes on OpenSSL's ``_ex`` functions too, and whoever
is named by ``--peer NAME=PROGRAM``.

A peer is a program that is given the path of a libssl and prints the plaintext that it reads there; who takes other arguments gets a wrapper
of two lines.  Peers that print understand nothing; podtab also finds the usage and prices it.  A call counts as read where its usage came out.
None of their code is here: OBI, nudgebee's and Coroot's agents, AgentSight and eCapture come from their own builds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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

# Once at the end of each answer; the quotes around it may come out escaped.
_USAGE = b"total_tokens"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """``command`` is started with the path of a library behind it."""

    name: str
    command: Sequence[str | Path]
    options: Sequence[str] = ()


SSLSNIFF = Peer(
    name="sslsniff",
    command=(sys.executable, "-u", Path(__file__).with_name("sslsniff.py")),
    options=("--ex", "--max-buffer-size", "16384"),
)


def named(text: str) -> Peer:
    """``NAME=PROGRAM``"""
    name, _, program = text.partition("=")
    if not name or not os.access(program, os.X_OK):
        raise ValueError(f"a peer is NAME=PROGRAM, a program that can be run: {text}")
    return Peer(name=name, command=(program,))


def run(more: Sequence[Peer] = ()) -> list[Result]:
    if not INSTALLED.exists():
        raise RuntimeError(f"{INSTALLED} is not there: apt-get install bpfcc-tools")
    peers = (SSLSNIFF, *more)
    results: list[Result] = []
    answers = {"sse": stream(300), "json": document(2048), "big": document(20_000)}
    with workspace() as folder, server(folder, answers) as port:
        for kind in ("C", "CPython"):
            for name, load in LOADS.items():
                progress(f"beside {', '.join(peer.name for peer in peers)}: {kind}, {name}")
                ours: list[Seen] = []
                theirs: dict[str, list[Seen]] = {peer.name: [] for peer in peers}
                # In turns, so that what else the machine does falls on all.
                for _ in range(ROUNDS):
                    ours.append(_podtab(folder, port, kind, load))
                    for peer in peers:
                        theirs[peer.name].append(_beside(peer, folder, port, kind, load))
                bare = median([run_client(kind, folder, port, load).cpu_s for _ in range(ROUNDS)])
                results += _compare(f"{kind}: {name}", load.calls, bare, ours, theirs)
    return results


def _compare(
    name: str, calls: int, bare_cpu_s: float, ours: Sequence[Seen], theirs: Mapping[str, Sequence[Seen]]
) -> list[Result]:
    def compared(
        what: str, unit: str, figure: Callable[[Sequence[Seen]], float], goal: Callable[[list[float]], float]
    ) -> Result:
        others = {peer: figure(seen) for peer, seen in theirs.items()}
        return Result(
            name=f"{name}: {what}",
            value=figure(ours),
            unit=unit,
            goal=goal(list(others.values())),
            better="higher" if unit == "%" else "lower",
            note=", ".join(f"{peer} {value:.3g}" for peer, value in others.items()),
            raw=others,
        )

    def share(seen: Sequence[Seen]) -> float:
        return median([one.share for one in seen])

    def cpu_s(seen: Sequence[Seen]) -> float:
        """Of calls that were read: what is lost costs nothing."""
        return median([one.watcher_cpu_s for one in seen]) * 1000 / max(calls * share(seen) / 100, 1)

    def added_us(seen: Sequence[Seen]) -> float:
        return max((median([one.client_cpu_s for one in seen]) - bare_cpu_s) * 1e6 / calls, 0.0)

    return [
        compared("calls read", "%", share, lambda _: 100),
        compared("watcher's CPU for 1,000 calls that it read", "s", cpu_s, min),
        compared("client CPU added to a call", "µs", added_us, min),
    ]


def _podtab(folder: Path, port: int, kind: str, load: Load) -> Seen:
    with agent(folder) as watcher:
        warm(kind, folder, port, load.answer)
        calls, cpu = watcher.settled_calls("reported"), watcher.cpu_seconds()
        ran = run_client(kind, folder, port, load)
        seen = watcher.settled_calls("reported", expected=calls + load.calls) - calls
        return _seen(seen, load, watcher.cpu_seconds() - cpu, ran)


def _beside(peer: Peer, folder: Path, port: int, kind: str, load: Load) -> Seen:
    with _printing(peer, folder) as (process, output):
        started = time.monotonic()
        # It reads as soon as everything is attached, and does not say when.
        while not _usages(output):
            if process.poll() is not None or time.monotonic() - started > _PATIENCE_SECONDS:
                raise RuntimeError(f"{peer.name} read nothing: {output.read_text(errors='replace')[-2000:]}")
            warm(kind, folder, port, load.answer)
            time.sleep(0.5)
        _settled(output)
        calls, cpu = _usages(output), _cpu_seconds(process.pid)
        ran = run_client(kind, folder, port, load)
        _settled(output)
        return _seen(_usages(output) - calls, load, _cpu_seconds(process.pid) - cpu, ran)


def _seen(calls: int, load: Load, cpu_s: float, ran: Ran) -> Seen:
    return Seen(share=100 * calls / load.calls, watcher_cpu_s=cpu_s, client_cpu_s=ran.cpu_s)


@contextmanager
def _printing(peer: Peer, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    library = next(Path(own_library(folder)["LD_LIBRARY_PATH"]).glob("libssl*"))
    output = folder / "printed"
    command = [*peer.command, library, *peer.options]
    # For sslsniff, which is compiled when it starts.
    environment = {**os.environ, "BCC_KERNEL_SOURCE": str(source.folder() / "headers")}
    with output.open("wb") as sink, subprocess.Popen(command, stdout=sink, stderr=sink, env=environment) as process:
        try:
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
