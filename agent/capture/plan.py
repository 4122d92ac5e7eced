"""Where probes go in one library file, and how the result is read there: what the site chooser says to the links."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Role(enum.IntEnum):
    """One BPF program each.  The numbers cross to C in the link cookie: see ``bpf/podtab.h``."""

    READ_ENTRY = 0
    READ_RETURN = 1
    WRITE_ENTRY = 2
    WRITE_RETURN = 3
    CLOSE = 4
    """Entry of the function that ends a connection."""
    FLUSH_ENTRY = 5
    """Of a function that sends what was written before, by the library's own write function: ``gnutls_record_uncork``."""
    FLUSH_RETURN = 6
    PEEKABLE_READ_ENTRY = 7
    """Entry of a read whose fourth argument may say that the bytes are only looked at: NSS."""
    OPEN = 8
    """Return of the function that makes a connection: the last one at its address has ended, where the end itself can't be probed."""
    GO_READ = 9
    """Where Go's crypto/tls hands bytes to its reader: nothing is known before and asked after."""
    GO_WRITE = 10
    GO_READ_RESULT = 11
    """The same, behind an inner call whose result is the number of bytes: a program that was built without inlining."""
    GO_END = 12
    """The connection that had this pointer has ended: Close, or a handshake that makes it another one."""
    RUSTLS_SEND_SLICE = 13
    """Where a cipher of rustls gets what is to be encrypted."""
    RUSTLS_SEND_SLICES = 14
    """The same, since rustls 0.23: one slice or several."""
    RUSTLS_RECEIVE = 15
    """Where a connection of rustls gets what was decrypted."""
    DESCRIPTOR = 16
    """Entry of the function that gives a connection, its first argument, the descriptor to use, its second."""


class Probe(enum.StrEnum):
    UPROBE = "uprobe"
    URETPROBE = "uretprobe"


class Count(enum.IntEnum):
    """Where a return probe finds the number of bytes moved.  Crosses to C in the link cookie."""

    RESULT = 0
    """The return value is the count: SSL_read, SSL_write at their return."""
    STACK = 1
    """The return value says yes or no; the count is a size_t at the stack pointer + ``stack_offset``: behind the inner call."""
    POINTER = 2
    """The return value says yes or no; the count is a size_t at a pointer that was an argument at entry: the _ex functions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One instruction to probe."""

    function: str
    role: Role
    probe: Probe
    file_offset: int
    emulated: bool
    """The kernel emulates this instruction: one trap.  Else it is single-stepped: two, and slow on virtual machines."""
    count: Count = Count.RESULT
    stack_offset: int = 0
    """From the stack pointer: of the count where it is ``Count.STACK``, of the connection's pointer at ``Role.GO_READ``.

    At ``Role.RUSTLS_RECEIVE`` from the connection to its cipher, a multiple of 8; in its last three bits, the tag of application data.
    """
    pointer_argument: int = 4
    """Of an entry: which argument points to the count, 4 or 5, where its returns say ``Count.POINTER``."""
    extended: bool = False
    """The returns say ``Count.POINTER``, for kernels whose probes have no cookie to say so."""
    instruction: str = ""
    """Its mnemonic, for ``podtab doctor``."""


class Sign(enum.Enum):
    """What has to be seen of a process before a stack is told that nobody can read."""

    PRESENT = "present"
    """That it executes the file."""
    PROGRAM = "program"
    """That the file is its program, which was built with the stack to use it; of a library, a connection as for TCP."""
    TCP = "tcp"
    """A TCP connection to a port of HTTPS."""
    UDP = "udp"
    """The same of UDP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A TLS stack that a file carries and that nobody can read from outside."""

    stack: str
    detail: str
    """Why, in one sentence."""
    remedy: str
    """What the owner of the pod can do."""
    sign: Sign = Sign.PRESENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All sites of one file; ``missing`` names functions that the file has and that no site could be found for, with the reason."""

    sites: tuple[Site, ...]
    missing: tuple[str, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    unsearched: bool = False
    """Too large to be searched for a stack without symbols: nobody knows."""
