"""
The program that sees packets leave: on the root of the machine's cgroups, so on every socket of the node.

By a link, which goes with its descriptor, so also when the agent is killed; beside whatever else sits there (Cilium, systemd).  Where it can't be had,
``problem`` says why, and everything else goes on.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from agent.capture.links import BPF_CGROUP_INET_EGRESS, AttachError, attach_cgroup
from agent.host.cgroups import root_folder

UNSEEN = "packets that leave can't be seen: whom a connection goes to stays unknown where the program does not tell its TLS library, and how many connections were not read"
"""What the log says, once."""
OFF = "capture.packets is off"
_REASONS = {
    errno.EPERM: "the kernel refuses: capability NET_ADMIN is missing, or a program that allows no other sits on the root of the cgroups",
    errno.EINVAL: "the kernel does not know this kind of link",
}


class Egress:
    """``problem`` is "" while the program is in force."""

    def __init__(self, bpf: Any, *, wanted: bool) -> None:
        self._link = -1
        self.problem = self._attach(bpf) if wanted else OFF

    def _attach(self, bpf: Any) -> str:
        from bcc import BPF

        folder = root_folder()
        if not folder:
            return "the root of cgroup v2 is not mounted where the agent can reach it"
        try:
            program = bpf.load_func(b"egress", BPF.CGROUP_SKB, attach_type=BPF_CGROUP_INET_EGRESS)
        except Exception as error:  # noqa: BLE001 - BCC raises nothing narrower
            return f"the kernel refuses the program: {error}"
        try:
            self._link = attach_cgroup(int(program.fd), folder)
        except OSError as error:
            return _REASONS.get(error.errno or 0, f"{folder}: {error.strerror}")
        except AttachError as error:
            return str(error)
        return ""

    def close(self) -> None:
        """Detach.  Safe to call twice."""
        if self._link >= 0:
            os.close(self._link)
            self._link = -1
