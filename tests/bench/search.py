"""(11): what it costs to look at every file that processes execute: searches beside SHA-256 of the same bytes, and a process with many files."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.capture.elf import ElfFile
from agent.capture.processes import mapped_code
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.doctor.libraries import libraries
from tests.bench.native_tools import workspace
from tests.bench.report import Result, median, progress
from tests.kernel.tls import FOLDER

ROUNDS = 5
FILES = 200
MAPS_MANY = """
import mmap, sys
held = []
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        held.append(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_EXEC))
print("ready", flush=True)
sys.stdin.read()
"""


def run() -> list[Result]:
    progress("what looking at files costs")
    with workspace() as folder:
        return [*_searches(folder), *_many_files()]


def _searches(folder: Path) -> list[Result]:
    large = _largest(_libraries())
    static = folder / "static"
    source = FOLDER / "native" / "client.c"
    link = ["-l:libssl.a", "-l:libcrypto.a", "-ldl", "-lpthread", "-s"]
    subprocess.run(["cc", "-O2", source, "-o", static, *link], check=True)
    hashed, searched = _seconds(lambda: _hash(large)), _seconds(lambda: _plan(large))
    found = _seconds(lambda: _plan(static))
    size = large.stat().st_size / 1e6
    return [
        Result(
            name="search of a file without a TLS library ÷ its SHA-256",
            value=searched / hashed,
            unit="",
            goal=1.0,
            note=f"{large.name}, {size:.0f} MB, {searched / size * 1e3:.2f} ms a MB",
            raw={"searched_s": searched, "sha256_s": hashed},
        ),
        Result(
            name="finding OpenSSL in a stripped static program",
            value=found,
            unit="s",
            goal=0.5,
            note=f"{static.stat().st_size / 1e6:.1f} MB; most of it disassembles what names the library's source file",
        ),
    ]


def _many_files() -> list[Result]:
    paths = sorted(_libraries(), key=lambda path: path.stat().st_size)[-FILES:]
    command = [sys.executable, "-c", MAPS_MANY, *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        code = mapped_code(process.pid)
        total = sum(path.stat().st_size for path in paths) / 1e6
        first = _seconds(lambda: libraries(uretprobe_safe=True, only=[process.pid]))
        process.stdin.close()
    return [
        Result(
            name=f"first look at a process that executes {FILES} files ÷ their number",
            value=first / len(code.files) * 1e3,
            unit="ms",
            goal=10.0,
            note=f"{len(code.files)} files, {total:.0f} MB; later looks read none of them",
            raw={"seconds": first},
        )
    ]


def _libraries() -> Iterable[Path]:
    folder = next(
        path for path in map(Path, ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu")) if path.exists()
    )
    for path in folder.glob("*.so*"):
        if not path.is_symlink() and path.is_file() and path.read_bytes()[:4] == b"\x7fELF":
            yield path


def _largest(paths: Iterable[Path]) -> Path:
    return max(paths, key=lambda path: path.stat().st_size)


def _seconds(action: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        before = time.process_time()
        action()
        times.append(time.process_time() - before)
    return median(times)


def _hash(path: Path) -> None:
    hashlib.sha256(path.read_bytes()).digest()


def _plan(path: Path) -> None:
    with path.open("rb") as file:
        plan(ElfFile(file), Abilities(uretprobe_safe=True))
