"""What a demo could leave behind on a machine."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from agent.demo.janitor import PREFIX
from agent.demo.sandbox import RUN, cgroup_root

# Processes that were killed need a moment to go.
PATIENCE_SECONDS = 10.0


def leftovers() -> set[str]:
    """Cgroups, folders, processes, mounts and named network namespaces of demos, by name."""
    found = {str(path) for root in (cgroup_root(), RUN) for path in root.glob(PREFIX + "*")}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if PREFIX in line:
            found.add(f"mount {line}")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The same programs in a container with a root of its own are not the demo's.
            if not os.path.samefile(folder / "root", "/"):
                continue
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if PREFIX in command or "agent.demo.provider" in command or "agent/demo/workloads" in command:
            found.add(f"process {command}")
    return found


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


def namespaces() -> str:
    """All network and mount namespaces that have a process in them."""
    listed = subprocess.run(["lsns", "-n", "-o", "TYPE,NS"], check=True, capture_output=True, text=True).stdout
    return "\n".join(sorted(line for line in listed.splitlines() if line.split()[0] in ("net", "mnt")))
