"""
Processes and the TLS code in them, from /proc.

A file is named by the device and inode of what is really mapped (also when the file has been deleted or replaced since), and is
opened through the process that maps it, so that other mount namespaces need no entry.  TLS code can be in any of them: a program has it built
in, and so have extension modules of Python, under names that say nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from agent.host.cgroups import cgroup_id_of_pid, cgroup_path_of_pid
from agent.model import Process

# A process with more mappings than this is a JVM or a browser; the libraries come early enough.
_MAX_MAPS_BYTES = 4 * 1024 * 1024
_LIBRARY = re.compile(r"/lib(ssl|gnutls)[^/]*\.so[^/]*$")
# A browser executes some two hundred files.  What comes after these is counted.
MAX_FILES = 1024


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
    named: bool
    """Its name is a TLS library's, so that it is one where it can't be read."""

    @property
    def root(self) -> str:
        """What a path of the process begins with, seen from here."""
        return self.open_paths[-1].removesuffix(self.path)

    def stamp(self) -> tuple[int, int] | None:
        """When it was written and how long it is: an inode number comes again with another content.  None where nobody says."""
        for path in self.open_paths:
            try:
                found = os.stat(path)
            except OSError:
                continue
            return found.st_mtime_ns, found.st_size
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a process executes."""

    files: tuple[Mapped, ...] = ()
    left_out: int = 0
    """Files beyond ``MAX_FILES``."""


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


def mapped_code(pid: int) -> Code:
    """
    Every file whose code a process maps.

    Raises PermissionError where the process may not be read; a process that is gone has no files.
    """
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
            text = file.read(_MAX_MAPS_BYTES)
        program = os.stat(f"/proc/{pid}/exe")
    except PermissionError:
        raise
    except OSError:
        return Code()
    found: dict[FileId, Mapped] = {}
    left_out: set[FileId] = set()
    for line in text.splitlines():
        fields = line.split(None, 5)
        if len(fields) < 6 or "x" not in fields[1] or fields[4] == "0":
            continue
        span, _, _, device, inode, path = fields
        identity = FileId(device=device, inode=int(inode))
        if identity in found:
            continue
        if len(found) >= MAX_FILES:
            left_out.add(identity)
            continue
        path = path.removesuffix(" (deleted)")
        named = _LIBRARY.search(path) is not None
        found[identity] = Mapped(
            file=identity,
            path=path,
            open_paths=(f"/proc/{pid}/map_files/{span}", f"/proc/{pid}/root{path}"),
            is_program=inode == str(program.st_ino) and not named,
            named=named,
        )
    return Code(files=tuple(found.values()), left_out=len(left_out))


@contextlib.contextmanager
def opened(mapped: Mapped) -> Iterator[tuple[BinaryIO, str]]:
    """
    The file, and a path that leads to exactly this open file: what was read is what gets the probes.

    The tenant may have put anything at its path since: a pipe that nobody writes to, a link to a file of ours.  So nothing is waited
    for, and only a regular file of the inode that is mapped is taken.  Raises OSError.
    """
    for path in mapped.open_paths:
        try:
            file = regular(path)
        except OSError:
            continue
        with file:
            if os.fstat(file.fileno()).st_ino == mapped.file.inode:
                yield file, f"/proc/self/fd/{file.fileno()}"
                return
    raise FileNotFoundError("what is mapped can't be opened")


def regular(path: str) -> BinaryIO:
    """A file of a tenant's, open; OSError for everything that is no regular file, and nothing is waited for."""
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb")  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FileNotFoundError("not a regular file")
    return file
