"""
Processes and the TLS code in them, from /proc.

A library is named by the device and inode of what is really mapped (also when the file has been deleted or replaced since), and is
opened through the process that maps it, so that other mount namespaces need no entry.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.host.cgroups import cgroup_id_of_pid, cgroup_path_of_pid
from agent.model import Process

# A process with more mappings than this is a JVM or a browser; the libraries come early enough.
_MAX_MAPS_BYTES = 4 * 1024 * 1024
_LIBRARY = re.compile(r"/lib(ssl|gnutls)[^/]*\.so[^/]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileId:
    """Of a file that is mapped: device and inode as /proc/PID/maps has them."""

    device: str
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A file that a process executes and that may carry TLS functions."""

    file: FileId
    path: str
    """As the process sees it, for people."""
    open_paths: tuple[str, ...]
    """Ways to open it from here, best first."""
    is_program: bool


def pids() -> Iterator[int]:
    """All live processes."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def read_process(pid: int) -> Process | None:
    """None where it is gone, or a kernel thread, or not ours to read."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name in the middle is in parentheses and may hold anything.
            before, _, after = file.read(4096).rpartition(")")
        start_ticks = int(after.split()[19])
        name = before.partition("(")[2]
    except (OSError, ValueError, IndexError):
        return None
    return Process(
        pid=pid,
        start_ticks=start_ticks,
        name=name,
        cgroup_id=cgroup_id_of_pid(pid),
        cgroup_path=cgroup_path_of_pid(pid),
    )


def mapped_tls_files(pid: int) -> list[Mapped]:
    """
    Libraries named like a TLS stack's, and the program itself, which may have it built in.

    Raises PermissionError where the process may not be read; a process that is gone has no files.
    """
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
            text = file.read(_MAX_MAPS_BYTES)
        program = os.stat(f"/proc/{pid}/exe")
    except PermissionError:
        raise
    except OSError:
        return []
    found: dict[FileId, Mapped] = {}
    for line in text.splitlines():
        fields = line.split(None, 5)
        if len(fields) < 6 or "x" not in fields[1]:
            continue
        span, _, _, device, inode, path = fields
        path = path.removesuffix(" (deleted)")
        is_program = inode == str(program.st_ino) and not _LIBRARY.search(path)
        if not (is_program or _LIBRARY.search(path)):
            continue
        identity = FileId(device=device, inode=int(inode))
        if identity not in found:
            found[identity] = Mapped(
                file=identity,
                path=path,
                open_paths=(f"/proc/{pid}/map_files/{span}", f"/proc/{pid}/root{path}"),
                is_program=is_program,
            )
    return list(found.values())
