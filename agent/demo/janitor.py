"""
Leaves nothing behind, whatever ends the demo.

A process of its own that waits for the end of its standard input, which only the demo holds open: when the demo is done, or is
killed with no chance to say so, it ends every process in the demo's cgroups, removes these and the work folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

PREFIX = "podtab-demo-"
# Killed processes leave their cgroup after a moment; the folder can't go before.
PATIENCE_SECONDS = 5.0


def sweep(group: Path, folder: Path) -> None:
    """Ends what runs below ``group`` and removes both.  Nothing happens where they are gone already."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while group.exists():
        for pid in _members(group):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for path, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(path).rmdir()
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    shutil.rmtree(folder, ignore_errors=True)


def sweep_orphans(cgroups: Path, temporary: Path) -> None:
    """What earlier demos left whose janitor was killed too: their names end with a pid that no longer lives."""
    for group in cgroups.glob(PREFIX + "*"):
        pid = group.name.removeprefix(PREFIX)
        if pid.isdigit() and not Path("/proc", pid).exists():
            sweep(group, temporary / group.name)


def _members(group: Path) -> set[int]:
    found: set[int] = set()
    for path, _, _ in os.walk(group):
        with contextlib.suppress(OSError):
            found.update(map(int, Path(path, "cgroup.procs").read_text(encoding="ascii").split()))
    return found


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    sweep(Path(sys.argv[1]), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
