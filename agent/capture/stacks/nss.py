"""
NSS: Firefox, Thunderbird, and whoever links libcurl-nss.

Its callers use NSPR's PR_Read, PR_Write, PR_Recv, PR_Send and PR_Writev, which also serve files and plain sockets.  All of them end in two
functions of NSS's own library (libssl3.so, which is no OpenSSL) when, and only when, the descriptor is a TLS connection: the receive and the send
of its table of operations.  That table has no name but a shape (``sslSocketOps`` in NSS's sslimpl.h, the same since NSS 3.0): it
shares four functions with the table for sockets without TLS.  One match, or nothing is read: docs/decisions/0006-nss-by-its-table-of-operations.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from itertools import islice

from agent.capture.elf import ElfFile, Function
from agent.capture.plan import Plan, Role
from agent.capture.sites import Abilities, Calls, Form, Way, choose
from agent.capture.x86 import walk

CALLS = Calls(
    ways=(
        Way(
            forms=(Form(name="ssl_SecureRecv"),),
            entry=Role.PEEKABLE_READ_ENTRY,
            leave=Role.READ_RETURN,
            arguments=4,
        ),
        Way(forms=(Form(name="ssl_SecureSend"),), entry=Role.WRITE_ENTRY, leave=Role.WRITE_RETURN),
    ),
    closers=("ssl_SecureClose",),
)

_OPERATIONS = [
    "connect",
    "accept",
    "bind",
    "listen",
    "shutdown",
    "close",
    "recv",
    "send",
    "read",
    "write",
    "getpeername",
    "getsockname",
]
_SHARED = [_OPERATIONS.index(name) for name in ("bind", "listen", "getpeername", "getsockname")]
_OWN = [_OPERATIONS.index(name) for name in ("connect", "shutdown", "close", "recv", "send", "read", "write")]
# NSS 3.87 has 43 places of this shape.  They are compared with each other, so a file with thousands would cost minutes.
_MAX_TABLES = 512

# Arm64's instructions, Arm's architecture reference manual, C6.2: B, and BR and RET with any register.
_B = 0b000101
_BR, _RET, _ANY_REGISTER = 0xD61F0000, 0xD65F0000, 0xFFFFFC1F

_Table = tuple[int, ...]


class Nss:
    """``Stack``."""

    name = "nss"

    @staticmethod
    def plan(elf: ElfFile, abilities: Abilities) -> Plan:
        if not elf.functions(("SSL_ImportFD",)):
            return Plan(sites=())
        tables = secure_operations(elf)
        if len(tables) != 1:
            return Plan(sites=(), missing=(f"NSS: {len(tables)} tables look like the operations of TLS, not 1",))
        return choose(elf, tables[0], CALLS, abilities)


def secure_operations(elf: ElfFile) -> list[Mapping[str, Function]]:
    """The receive, send and close of every table that can be the one of TLS connections."""
    tables = list(islice(_tables(elf.pointers()), _MAX_TABLES + 1))
    if len(tables) > _MAX_TABLES:
        return []
    by_shared: dict[_Table, list[_Table]] = {}
    for table in tables:
        by_shared.setdefault(tuple(table[index] for index in _SHARED), []).append(table)
    return [
        found
        for alike in by_shared.values()
        for table in alike
        if any(all(other[index] != table[index] for index in _OWN) for other in alike)
        and (found := _secure_functions(elf, table))
    ]


def _tables(words: Mapping[int, int]) -> Iterator[_Table]:
    """Twelve pointers of which the second, and no other, is null: nobody accepts on a connection."""
    accept = _OPERATIONS.index("accept")
    for address in sorted(words):
        table = tuple(words.get(address + 8 * index, 0) for index in range(len(_OPERATIONS)))
        if all(bool(value) != (index == accept) for index, value in enumerate(table)):
            yield table


def _secure_functions(elf: ElfFile, table: _Table) -> Mapping[str, Function]:
    """In the table of TLS, read and write only jump into recv and send; without TLS each calls the layer below, and nothing is found."""
    operations = dict(zip(_OPERATIONS, table, strict=True))
    for caller, inner in (("read", "recv"), ("write", "send")):
        function = elf.function_at(operations[caller])
        if function is None or operations[inner] not in _jumps(elf.machine, function):
            return {}
    named = {"ssl_SecureRecv": "recv", "ssl_SecureSend": "send", "ssl_SecureClose": "close"}
    functions = {name: elf.function_at(operations[operation], name=name) for name, operation in named.items()}
    found = {name: function for name, function in functions.items() if function is not None}
    return found if len(found) == len(named) else {}


def _jumps(machine: str, function: Function) -> list[int | None]:
    if machine == "x64":
        return [step.target for step in walk(function.code, function.address) if step.mnemonic.startswith("jmp")]
    return _branches(function) if machine == "AArch64" else []


def _branches(function: Function) -> list[int | None]:
    """Where the straight way through a function of arm64's goes on, if by a jump to a named place."""
    for place, (word,) in enumerate(struct.iter_unpack("<I", function.code[: len(function.code) & ~3])):
        if word >> 26 == _B:
            distance = (word & 0x3FFFFFF ^ 0x2000000) - 0x2000000
            return [function.address + 4 * (place + distance)]
        if word & _ANY_REGISTER in (_BR, _RET):
            break
    return []
