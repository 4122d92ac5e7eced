"""
What a file descriptor of another process is, from /proc.

For connections that nobody saw begin.  The answer is about the moment it is asked: by then the descriptor may be another file, so it is good for
connections that are still in use, and for nothing else.
Source: proc(5), ``/proc/PID/net/tcp``: addresses are words of the machine's byte order, printed as numbers.
"""

from __future__ import annotations

import enum
import ipaddress
import os
import sys
from pathlib import Path

from agent.model import Peer

# A network namespace with more than 50,000 connections is a proxy's or the node's own; who is not among the first ones stays unknown.
_MAX_TABLE_BYTES = 8 * 1024 * 1024
_PROC = Path("/proc")


class Kind(enum.Enum):
    SOCKET = enum.auto()
    OTHER = enum.auto()
    GONE = enum.auto()
    """The process, or its descriptor, or our right to look."""


def kind_of(pid: int, descriptor: int, proc: Path = _PROC) -> tuple[Kind, int]:
    """What it is, and a socket's inode."""
    try:
        target = os.readlink(proc / str(pid) / "fd" / str(descriptor))
    except OSError:
        return Kind.GONE, 0
    inode = target.removeprefix("socket:[").removesuffix("]")
    return (Kind.SOCKET, int(inode)) if target.startswith("socket:[") and inode.isdigit() else (Kind.OTHER, 0)


def peer_of(pid: int, inode: int, proc: Path = _PROC) -> Peer | None:
    """The other end of a TCP connection of this process's network namespace."""
    for name in ("tcp", "tcp6"):
        try:
            with open(proc / str(pid) / "net" / name, encoding="ascii", errors="replace") as file:
                table = file.read(_MAX_TABLE_BYTES)
        except OSError:
            continue
        for line in table.splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[9] == str(inode):
                return _peer(fields[2])
    return None


def _peer(text: str) -> Peer | None:
    """``0100007F:1F90``; four such words with IPv6."""
    words, _, port = text.partition(":")
    try:
        numbers = [int(words[at : at + 8], 16) for at in range(0, len(words), 8)]
        address = ipaddress.ip_address(b"".join(number.to_bytes(4, sys.byteorder) for number in numbers))
        number = int(port, 16)
    except (ValueError, OverflowError):
        return None
    return Peer(address=str(address), port=number) if 0 < number < 65536 else None
