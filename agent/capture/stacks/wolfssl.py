"""
wolfSSL under its own names; built as a stand-in for OpenSSL it exports those names and is read as OpenSSL.

Reference: https://www.wolfssl.com/documentation/manuals/wolfssl/group__IO.html.  wolfSSL_recv, wolfSSL_send and wolfSSL_writev call the
plain forms inside: then both fire for one call, the inner one opens it anew, and the first return ends it.
Not read: early data, which the application has to send again when the server refuses it.
"""

from __future__ import annotations

from agent.capture.plan import Role
from agent.capture.sites import Calls, Form, Way
from agent.capture.stacks.base import CLibrary

WOLFSSL = CLibrary(
    name="wolfssl",
    calls=Calls(
        ways=(
            Way(
                forms=(
                    Form(name="wolfSSL_read"),
                    Form(name="wolfSSL_recv"),
                    Form(name="wolfSSL_read_ex", pointer_argument=4),
                ),
                entry=Role.READ_ENTRY,
                leave=Role.READ_RETURN,
            ),
            Way(
                forms=(
                    Form(name="wolfSSL_write"),
                    Form(name="wolfSSL_send"),
                    Form(name="wolfSSL_write_ex", pointer_argument=4),
                ),
                entry=Role.WRITE_ENTRY,
                leave=Role.WRITE_RETURN,
            ),
        ),
        closers=("wolfSSL_free", "wolfSSL_shutdown", "wolfSSL_clear"),
        descriptors=("wolfSSL_set_fd", "wolfSSL_set_read_fd"),
    ),
)
