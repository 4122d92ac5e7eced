"""
OpenSSL 1.1 and 3.x, and whoever exports the same functions: Node.js, BoringSSL.

Reference: https://docs.openssl.org/3.0/man3/SSL_read/ and SSL_write: int num, returned; the ``_ex`` forms put a size_t through a pointer.
"""

from __future__ import annotations

from agent.capture.elf import ElfFile
from agent.capture.plan import Plan, Role
from agent.capture.sites import Abilities, Calls, Form, Way, choose

CALLS = Calls(
    ways=(
        Way(
            forms=(Form(name="SSL_read"), Form(name="SSL_read_ex", pointer_argument=4)),
            entry=Role.READ_ENTRY,
            leave=Role.READ_RETURN,
        ),
        Way(
            forms=(
                Form(name="SSL_write"),
                Form(name="SSL_write_ex", pointer_argument=4),
                Form(name="SSL_write_ex2", pointer_argument=5),  # OpenSSL 3.3: SSL_write_ex with flags
            ),
            entry=Role.WRITE_ENTRY,
            leave=Role.WRITE_RETURN,
        ),
    ),
    closers=("SSL_free", "SSL_shutdown"),
    descriptors=("SSL_set_fd", "SSL_set_rfd"),
)


class OpenSsl:
    """``Stack``."""

    name = "openssl"

    @staticmethod
    def plan(elf: ElfFile, abilities: Abilities) -> Plan:
        return choose(elf, elf.functions(CALLS.names), CALLS, abilities)
