"""
``make fuzz SECONDS=60``: every parser under a coverage-guided fuzzer, for that long in all.

An input that breaks a target is kept, its path is printed, and the exit status is 1.  What was learned is kept too, in .cache/fuzz, so the
next run begins where this one ended.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.dialects.test_golden import FILES
from tests.dialects.test_golden_sessions import SESSIONS
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS
from tests.protocol.test_client_hello import RECORDED

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "fuzz"
# A program of our own for the ELF target: small, and with symbols.
_SAMPLE_PROGRAM = Path("/bin/true")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuzzed:
    """What came of one target."""

    name: str
    executions: int
    covered: int
    """Edges that libFuzzer has seen."""
    found: tuple[Path, ...]
    failure: str
    """Why it ended other than by time; "" for nothing."""


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    names = sys.argv[2:] or list(TARGETS)
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        print(f"fuzz: no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    # Two at a time: the least that any machine of ours has.
    each = max(2, seconds * 2 // len(names))
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda name: fuzz(name, each), names))
    show(results)
    return 1 if any(result.failure for result in results) else 0


def fuzz(name: str, seconds: int) -> Fuzzed:
    """Run one target in a process of its own."""
    folder = CACHE / name
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    for seed in _seeds(name):
        (inputs / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    before = set(folder.glob("found-*"))
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.one", name, str(folder), str(seconds)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + 120,
    )
    found = tuple(sorted(set(folder.glob("found-*")) - before))
    return Fuzzed(
        name=name,
        executions=_last_number(r"stat::number_of_executed_units:\s*(\d+)", run.stderr),
        covered=_last_number(r"\bcov: (\d+)", run.stderr),
        found=found,
        failure="" if run.returncode == 0 else _reason(run.stdout + run.stderr),
    )


def _seeds(name: str) -> Iterator[bytes]:
    if name == "elf":
        yield _SAMPLE_PROGRAM.read_bytes()[:8192]
        return
    if name == "client_hello":
        yield from (b"\x3f\0" + one.data for one in RECORDED)
        return
    yield from seeds(json.loads(path.read_bytes()) for path in [*FILES, *SESSIONS])


def _last_number(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def _reason(output: str) -> str:
    lines = [line for line in output.splitlines() if re.search(r"Error|Exception|ERROR|assert", line)]
    return lines[-1].strip()[:200] if lines else "ended early"


def show(results: list[Fuzzed]) -> None:
    table = Table(box=None, header_style="bold")
    for column in ("target", "inputs tried", "edges", "found"):
        table.add_column(column, justify="left" if column in ("target", "found") else "right")
    for result in results:
        paths = ", ".join(str(path.relative_to(ROOT)) for path in result.found)
        table.add_row(
            result.name,
            f"{result.executions:,}",
            f"{result.covered:,}",
            f"{result.failure} {paths}".strip() or "nothing",
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
