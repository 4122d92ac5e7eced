"""Clients of the fake provider: in C, CPython and Node, each with a TLS library that only this benchmark uses, where it can have one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.native_tools import build, own_library

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """``rate`` calls a second over all connections, 0: as fast as it goes."""

    answer: str
    connections: int
    calls: int
    rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    calls: int
    wall_s: float
    cpu_s: float


def command(kind: str, folder: Path, port: int, load: Load) -> tuple[list[str | Path], Mapping[str, str]]:
    """How to start a client of one kind."""
    arguments = [str(port), load.answer, str(load.connections), str(load.calls), str(load.rate)]
    if kind == "C":
        return [build("client", folder), *arguments], own_library(folder)
    if kind == "CPython":
        # A link of its own gives it a name of its own in /proc/PID/comm.
        return [_named("bench-python", "/usr/bin/python3", folder), HERE / "client.py", *arguments], own_library(folder)
    return [_named("bench-node", shutil.which("node") or "node", folder), HERE / "client.mjs", *arguments], own_library(
        folder
    )


def _named(name: str, program: str, folder: Path) -> Path:
    link = folder / name
    if not link.exists():
        link.symlink_to(Path(program).resolve())
    return link


@contextmanager
def connected(kind: str, folder: Path, port: int, load: Load) -> Iterator[subprocess.Popen[str]]:
    """A client whose connections stand, and that waits for a line."""
    arguments, environment = command(kind, folder, port, load)
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environment)
    ) as client:
        assert client.stdout
        try:
            if client.stdout.readline() != "ready\n":
                raise RuntimeError(f"the {kind} client did not get ready")
            yield client
        finally:
            client.kill()


def go(client: subprocess.Popen[str]) -> Ran:
    """Let it make its calls; its connections stay open until it is let go or killed."""
    assert client.stdin
    assert client.stdout
    client.stdin.write("go\n")
    client.stdin.flush()
    result = json.loads(client.stdout.readline())
    if result["failed_connections"]:
        raise RuntimeError(f"{result['failed_connections']} connections failed")
    return Ran(calls=result["calls"], wall_s=result["wall_s"], cpu_s=result["cpu_s"])


def run(kind: str, folder: Path, port: int, load: Load) -> Ran:
    """Connect, make all calls, leave as a client does."""
    with connected(kind, folder, port, load) as client:
        ran = go(client)
        assert client.stdin
        client.stdin.write("leave\n")
        client.stdin.flush()
        client.wait(timeout=60)
        return ran


def warm(kind: str, folder: Path, port: int, answer: str) -> None:
    """
    The first process that ever uses a library is found when it starts, and its first calls can be over before its probes are in place;
    later ones are covered from their first instruction.  What is measured is the later ones.
    """
    run(kind, folder, port, Load(answer=answer, connections=2, calls=100, rate=50))
