"""
s2n-tls: the AWS common runtime, so awscrt in Python and Node, and AWS' newer clients.

Reference: https://aws.github.io/s2n-tls/usage-guide/ch07-io.html.  Sending and receiving return the number of bytes, which may be fewer than
asked for, or -1.
Not read: s2n_sendv and s2n_sendv_with_offset called by themselves, whose second argument lists buffers (s2n_send calls the latter inside, so a probe there
would read its list); s2n_sendfile; early data.
"""

from __future__ import annotations

from agent.capture.plan import Role
from agent.capture.sites import Calls, Form, Way
from agent.capture.stacks.base import CLibrary

S2N = CLibrary(
    name="s2n",
    calls=Calls(
        ways=(
            Way(forms=(Form(name="s2n_recv"),), entry=Role.READ_ENTRY, leave=Role.READ_RETURN),
            Way(forms=(Form(name="s2n_send"),), entry=Role.WRITE_ENTRY, leave=Role.WRITE_RETURN),
        ),
        closers=("s2n_connection_free", "s2n_connection_wipe"),
        descriptors=("s2n_connection_set_fd", "s2n_connection_set_read_fd"),
    ),
)
