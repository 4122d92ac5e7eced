"""
Mono's TLS: a BoringSSL without symbols behind functions that its class library calls, and that have to have names.

Reference: mono/btls/btls-ssl.h in https://github.com/mono/mono.  They take SSL_read's arguments but for the connection, which is Mono's own
struct, and jump into BoringSSL with it replaced.
"""

from __future__ import annotations

from agent.capture.plan import Role
from agent.capture.sites import Calls, Form, Way
from agent.capture.stacks.base import CLibrary

MONO = CLibrary(
    name="mono",
    calls=Calls(
        ways=(
            Way(forms=(Form(name="mono_btls_ssl_read"),), entry=Role.READ_ENTRY, leave=Role.READ_RETURN),
            Way(forms=(Form(name="mono_btls_ssl_write"),), entry=Role.WRITE_ENTRY, leave=Role.WRITE_RETURN),
        ),
        closers=("mono_btls_ssl_destroy", "mono_btls_ssl_shutdown"),
    ),
)
