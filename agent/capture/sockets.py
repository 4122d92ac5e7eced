"""
Signs that a process speaks TLS or QUIC, from /proc: an open socket whose other end is port 443, where every AI provider listens.

Asked only of processes that carry a stack nobody can read, every few seconds.  A connection that is shorter than that may be missed, and
one to another port is: docs/accuracy.md.
"""

from __future__ import annotations

import os

from agent.capture.plan import Sign

_PORT = f":{443:04X}"
_TABLES = {Sign.TCP: ("tcp", "tcp6"), Sign.UDP: ("udp", "udp6")}
# A line has 150 bytes: 27,000 sockets of one network namespace.
_MAX_TABLE_BYTES = 4 * 1024 * 1024
# A JVM has some hundred; who has more is looked at in part.
_MAX_DESCRIPTORS = 4096


def signs_of(pid: int) -> set[Sign]:
    """What its sockets say; empty where it is gone or may not be looked into."""
    inodes = {sign: _inodes_to_443(pid, tables) for sign, tables in _TABLES.items()}
    wanted = set().union(*inodes.values())
    if not wanted:
        return set()
    own = wanted & _sockets(pid)
    return {sign for sign, there in inodes.items() if there & own}


def _inodes_to_443(pid: int, tables: tuple[str, ...]) -> set[str]:
    """Of all sockets of its network namespace.  Columns as in proc_pid_net(5): number, local, remote, …, the inode tenth."""
    found = set()
    for table in tables:
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii", errors="replace") as file:
                lines = file.read(_MAX_TABLE_BYTES).splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split(None, 10)
            if len(fields) > 9 and fields[2].endswith(_PORT):
                found.add(fields[9])
    return found


def _sockets(pid: int) -> set[str]:
    """Inodes of the sockets that it has open."""
    found = set()
    try:
        with os.scandir(f"/proc/{pid}/fd") as descriptors:
            for _, descriptor in zip(range(_MAX_DESCRIPTORS), descriptors, strict=False):
                try:
                    target = os.readlink(descriptor.path)
                except OSError:
                    continue
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    except OSError:
        pass
    return found
