"""
What a file descriptor of another process is, and whom a socket of it is connected to.

The answer is about the moment it is asked: by then the descriptor may be another file, so it is good for connections that are still in use, and for
nothing else.

The address comes from the socket itself, of which pidfd_getfd(2) (Linux 5.6) gives us a descriptor for some microseconds; that needs the right to trace the
process, as /proc's links do.  The table /proc/PID/net/tcp says the same, and takes the kernel some 10 ms for each of two families, whatever is in it.
"""

from __future__ import annotations

import ctypes
import enum
import ipaddress
import os
import socket
import struct
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from agent.model import Peer

_PROC = Path("/proc")
_PIDFD_GETFD = 438  # the same on every processor
_LINGER = struct.Struct("ii")
_SO_COOKIE = 57  # asm-generic/socket.h

_libc = ctypes.CDLL(None, use_errno=True)


class Kind(enum.Enum):
    SOCKET = enum.auto()
    OTHER = enum.auto()
    GONE = enum.auto()
    """The process, or its descriptor, or our right to look."""


def kind_of(pid: int, descriptor: int, proc: Path = _PROC) -> Kind:
    try:
        target = os.readlink(proc / str(pid) / "fd" / str(descriptor))
    except OSError:
        return Kind.GONE
    return Kind.SOCKET if target.startswith("socket:[") else Kind.OTHER


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP connection of another process."""

    peer: Peer
    cookie: int
    """The kernel's own number of the socket; from 5.10 on no other one of the boot has it."""


def connection_of(pid: int, descriptor: int) -> Connection | None:
    """None where it is none, or can't be asked."""
    if kind_of(pid, descriptor) is not Kind.SOCKET:  # of a file not even a reference is taken
        return None
    try:
        process = os.pidfd_open(pid)
        try:
            taken = _libc.syscall(_PIDFD_GETFD, process, descriptor, 0)
        finally:
            os.close(process)
        if taken < 0:
            return None
        with _borrowed(taken) as connection:
            if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
                return None
            host, port = connection.getpeername()[:2]
            cookie = int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), sys.byteorder)
    except OSError:
        return None
    address = ipaddress.ip_address(host.partition("%")[0])
    # A socket of both families has IPv4's addresses in IPv6's form.
    peer = Peer(address=str(getattr(address, "ipv4_mapped", None) or address), port=port)
    return Connection(peer, cookie)


class _borrowed(socket.socket):  # noqa: N801 - used as a verb
    """
    A socket that somebody else uses.

    If its owner closes it just now, ours is the last reference.  A close that the owner told to wait for the other side then waits here, so it does
    that where nobody waits for it.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(fileno=descriptor)

    def __exit__(self, *_: object) -> None:
        waits, seconds = _LINGER.unpack(self.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.size))
        if waits and seconds:
            threading.Thread(target=self.close, daemon=True).start()
        else:
            self.close()
