"""
Builds the clients, each folder of ``clients/`` once, into ``.cache/matrix``, which no commit sees.

A stamp beside each says of which sources it was made, and is written last: a broken build is repeated.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.matrix.rows import CLIENTS, Row

CACHE = Path(__file__).parents[2] / ".cache" / "matrix"
# The longest, two Rust programs with all they need, takes five minutes on two cores.
_BUILD_SECONDS = 1800


def built(folder: str) -> Path:
    return CACHE / folder


def why_not(row: Row) -> str:
    """Builds what the row needs; "" where it can run, else why it can't."""
    if row.not_run:
        return row.not_run
    missing = [package for program, package in row.needs.items() if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    script = CLIENTS / row.folder / "build"
    return _build(row.folder, script) if script.exists() else ""


def _build(folder: str, script: Path) -> str:
    place, stamp = built(folder), CACHE / f"{folder}.stamp"
    CACHE.mkdir(parents=True, exist_ok=True)
    # Python's clients are run from where they are, and their libraries take minutes.
    sources = [
        path for path in sorted(script.parent.rglob("*")) if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    said = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    with (CACHE / "lock").open("w") as lock:
        # Two runs at once must not build into one folder.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == said.hexdigest():
            return ""
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        ended = subprocess.run(
            [script, place], cwd=script.parent, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS
        )
        if ended.returncode:
            lines = (ended.stdout if ended.returncode == _CANNOT else ended.stderr or ended.stdout).strip().splitlines()
            return f"not built: {lines[-1][:200] if lines else ended.returncode}"
        stamp.write_text(said.hexdigest())
    return ""


_CANNOT = 3
"""Exit code of a ``build`` that lacks something of this machine."""
