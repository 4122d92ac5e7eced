"""
Signs that a process speaks TLS or QUIC, from /proc: an open socket whose other end is port 443, where every AI provider listens, or 8443,
where gateways inside a cluster do.  The cluster's own API server is none: every operator talks to it.

Asked only of processes that carry a stack nobody can read, every few seconds.  A connection that is shorter than that may be missed, and
one to another port is (databases and brokers speak TLS there, also to public addresses): docs/accuracy.md.
"""

from __future__ import annotations

import ipaddress
import os
import sys

from agent.capture.plan import Sign

_PORTS = (443, 8443)
_TABLES = {Sign.TCP: ("tcp", "tcp6"), Sign.UDP: ("udp", "udp6")}
# A line has 150 bytes: 27,000 sockets of one network namespace.
_MAX_TABLE_BYTES = 4 * 1024 * 1024
# A JVM has some hundred; who has more is looked at in part.
_MAX_DESCRIPTORS = 4096


def signs_of(pid: int) -> set[Sign]:
    """What its sockets say; empty where it is gone or may not be looked into."""
    inodes = {sign: _inodes_to_https(pid, tables) for sign, tables in _TABLES.items()}
    wanted = set().union(*inodes.values())
    if not wanted:
        return set()
    own = wanted & _sockets(pid)
    return {sign for sign, there in inodes.items() if there & own}


def _inodes_to_https(pid: int, tables: tuple[str, ...]) -> set[str]:
    """Of all sockets of its network namespace.  Columns as in proc_pid_net(5): number, local, remote, …, the inode tenth."""
    ports, found = tuple(f":{port:04X}" for port in _PORTS), set()
    api_server = _as_listed(os.environ.get("KUBERNETES_SERVICE_HOST", ""))
    for table in tables:
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii", errors="replace") as file:
                lines = file.read(_MAX_TABLE_BYTES).splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split(None, 10)
            if len(fields) > 9 and fields[2].endswith(ports) and fields[2].partition(":")[0] not in api_server:
                found.add(fields[9])
    return found


def _as_listed(address: str) -> set[str]:
    """As these tables have it, words of the machine's byte order; of IPv4 also as IPv6 maps it.  Empty where it is none."""
    try:
        packed = ipaddress.ip_address(address).packed
    except ValueError:
        return set()
    forms = {packed, b"\0" * 10 + b"\xff\xff" + packed} if len(packed) == 4 else {packed}
    return {
        "".join(f"{int.from_bytes(form[at : at + 4], sys.byteorder):08X}" for at in range(0, len(form), 4))
        for form in forms
    }


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
