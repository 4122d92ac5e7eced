"""cgroup paths from /proc and from the v2 file system; "" where nothing is found."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache

from agent.host.containers import best_path

# A node has some thousand groups; a walk beyond this is not worth its time.
_MAX_FOLDERS = 20_000


@cache
def v2_mount() -> str:
    """Where cgroup v2 is mounted, as in /proc/self/mountinfo; "" where it is not."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            return v2_mount_of(mounts)
    except OSError:
        return ""


def v2_mount_of(mountinfo: Iterable[str]) -> str:
    """Of the lines of a /proc/PID/mountinfo."""
    for line in mountinfo:
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup2 "):
            return fields.split(" ")[4]
    return ""


def cgroup_path_of_pid(pid: int) -> str:
    """The path that best names a live process's container."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return best_path(file.read(65536))
    except OSError:
        return ""


def process_name(pid: int) -> str:
    """/proc/PID/comm; "" for a process that is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read(64).rstrip("\n")
    except OSError:
        return ""


def cgroup_id_of_pid(pid: int) -> int:
    """``bpf_get_current_cgroup_id()`` of a live process: the inode of its v2 folder; 0 where unknown."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            path = next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
        return os.stat(v2_mount() + path).st_ino if path and v2_mount() else 0
    except OSError:
        return 0


def cgroup_path_of_id(cgroup_id: int) -> str:
    """The path of a v2 folder by its inode: a walk, for groups whose processes are gone."""
    root = v2_mount()
    if not cgroup_id or not root:
        return ""
    for count, (folder, _, _) in enumerate(os.walk(root)):
        if count > _MAX_FOLDERS:
            break
        try:
            if os.stat(folder).st_ino == cgroup_id:
                return folder.removeprefix(root) or "/"
        except OSError:
            continue
    return ""


def root_folder() -> str:
    """
    The machine's root group; "" where it can't be reached.

    What is mounted here may begin at our container's own group.  The first process's mounts do not, where its files may be looked into (hostPID and
    SYS_PTRACE, which reading other processes' libraries needs as well).
    """
    for folder in (v2_mount(), _below_first_process()):
        # Every group has this file but the root (Documentation/admin-guide/cgroup-v2.rst).
        if folder and os.path.exists(f"{folder}/cgroup.procs") and not os.path.exists(f"{folder}/cgroup.events"):
            return folder
    return ""


def _below_first_process() -> str:
    try:
        with open("/proc/1/mountinfo", encoding="utf-8") as mounts:
            mounted = v2_mount_of(mounts)
    except OSError:
        return ""
    return f"/proc/1/root{mounted}" if mounted else ""
