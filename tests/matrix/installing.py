"""
Builds the clients, each folder of ``clients/`` once, into ``.cache/matrix``, which no commit sees; several at a time, most wait for a download.

A stamp beside each says of which sources it was made, and is written last: a broken build is repeated.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.matrix.rows import CLIENTS, Row

CACHE = Path(__file__).parents[2] / ".cache" / "matrix"
# The longest, two Rust programs with all they need, takes five minutes on two cores; a registry may be slow, and a build that hangs costs its rows only.
_BUILD_SECONDS = 900
_PARALLEL = 3


def built(folder: str) -> Path:
    return CACHE / folder


def build_all(rows: Sequence[Row]) -> dict[str, str]:
    """What all of them need; of each row's name what ``why_not`` says."""
    folders = {row.folder: [one for one in rows if one.folder == row.folder] for row in rows}

    def build(rows: Sequence[Row]) -> dict[str, str]:
        return {row.name: why_not(row) for row in rows}

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return {name: reason for group in pool.map(build, folders.values()) for name, reason in group.items()}


def why_not(row: Row) -> str:
    """Builds what the row needs; "" where it can run, else why it can't."""
    if row.not_run:
        return row.not_run
    missing = [package for program, package in row.needs.items() if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    script = CLIENTS / row.folder / "build"
    return _build(row.folder, script) if script.exists() else ""


@functools.cache
def _build(folder: str, script: Path) -> str:
    place, stamp = built(folder), CACHE / f"{folder}.stamp"
    CACHE.mkdir(parents=True, exist_ok=True)
    # Python's clients are run from where they are, and their libraries take minutes.
    sources = [
        path for path in sorted(script.parent.rglob("*")) if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    said = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    with (CACHE / f"{folder}.lock").open("w") as lock:
        # Two runs must not build into one folder at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == said.hexdigest():
            return ""
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        # timeout(1) makes a process group of its own: a build that takes too long is ended with all that it started.
        command = ["timeout", "--kill-after=10", str(_BUILD_SECONDS), script, place]
        ended = subprocess.run(
            command, cwd=script.parent, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if ended.returncode == _TOO_LONG:
            return f"not built: it took more than {_BUILD_SECONDS} s"
        if ended.returncode:
            lines = (ended.stdout if ended.returncode == _CANNOT else ended.stderr or ended.stdout).strip().splitlines()
            return f"not built: {lines[-1][:200] if lines else ended.returncode}"
        stamp.write_text(said.hexdigest())
    return ""


_CANNOT = 3
"""Exit code of a ``build`` that lacks something of this machine."""
_TOO_LONG = 124
"""Exit code of timeout(1)."""
