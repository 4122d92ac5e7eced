"""
Mbed TLS: small programs, and other languages' bindings to it.

Reference: https://mbed-tls.readthedocs.io/projects/api/en/development/api/file/ssl_8h/.  Both functions take SSL_read's arguments and return the
number of bytes or a negative error; a write that would block is called again with the same bytes, and the call that sent them says so.
Not read: early data, which the application has to send again when the server refuses it.
"""

from __future__ import annotations

from agent.capture.plan import Role
from agent.capture.sites import Calls, Form, Way
from agent.capture.stacks.base import CLibrary

MBEDTLS = CLibrary(
    name="mbedtls",
    calls=Calls(
        ways=(
            Way(forms=(Form(name="mbedtls_ssl_read"),), entry=Role.READ_ENTRY, leave=Role.READ_RETURN),
            Way(forms=(Form(name="mbedtls_ssl_write"),), entry=Role.WRITE_ENTRY, leave=Role.WRITE_RETURN),
        ),
        closers=("mbedtls_ssl_free", "mbedtls_ssl_session_reset", "mbedtls_ssl_close_notify"),
    ),
)
