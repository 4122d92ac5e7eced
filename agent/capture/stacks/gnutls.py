"""
GnuTLS 3: wget, Debian's git and whoever links libcurl-gnutls.

Reference: https://www.gnutls.org/manual/html_node/Core-TLS-API.html.  Receiving and sending return the number of bytes or a negative error, and
their arguments stand where SSL_read's do.  gnutls_record_send only calls gnutls_record_send2 where that is there: then both fire for one
call, the inner one opens it anew, and the first return ends it.  Only gnutls_deinit ends a connection: after gnutls_bye
the other side may still send.

Not read: early data (TLS 1.3's first flight), which the application has to send again when the server refuses it; packets of
gnutls_record_recv_packet, which programs for datagrams use.
"""

from __future__ import annotations

from agent.capture.elf import ElfFile
from agent.capture.plan import Plan, Role
from agent.capture.sites import Abilities, Calls, Form, Way, choose

CALLS = Calls(
    ways=(
        Way(
            forms=(Form(name="gnutls_record_recv"), Form(name="gnutls_record_recv_seq")),
            entry=Role.READ_ENTRY,
            leave=Role.READ_RETURN,
        ),
        Way(
            forms=(
                Form(name="gnutls_record_send"),
                Form(name="gnutls_record_send2"),
                Form(name="gnutls_record_send_range"),
            ),
            entry=Role.WRITE_ENTRY,
            leave=Role.WRITE_RETURN,
        ),
        Way(forms=(Form(name="gnutls_record_uncork"),), entry=Role.FLUSH_ENTRY, leave=Role.FLUSH_RETURN),
    ),
    closers=("gnutls_deinit",),
    # gnutls_transport_set_int is a macro for the first one.
    descriptors=("gnutls_transport_set_int2", "gnutls_transport_set_ptr", "gnutls_transport_set_ptr2"),
)


class GnuTls:
    """``Stack``."""

    name = "gnutls"

    @staticmethod
    def plan(elf: ElfFile, abilities: Abilities) -> Plan:
        return choose(elf, elf.functions(CALLS.names), CALLS, abilities)
