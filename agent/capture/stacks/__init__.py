"""
The TLS stacks that we know.  A file may carry several; each adds its sites.

To add one: write ``agent/capture/stacks/<name>.py`` and list it here; where none of ``bpf/`` fits its calls, ``bpf/tls_<name>.c`` too.
"""

from __future__ import annotations

from agent.capture.elf import ElfFile
from agent.capture.plan import Plan
from agent.capture.sites import Abilities
from agent.capture.stacks.base import Stack
from agent.capture.stacks.gnutls import GnuTls
from agent.capture.stacks.go import Go
from agent.capture.stacks.mbedtls import MBEDTLS
from agent.capture.stacks.mono import MONO
from agent.capture.stacks.noticed import Noticed
from agent.capture.stacks.nss import Nss
from agent.capture.stacks.openssl import OpenSsl
from agent.capture.stacks.rustls import Rustls
from agent.capture.stacks.s2n import S2N
from agent.capture.stacks.without_symbols import WithoutSymbols
from agent.capture.stacks.wolfssl import WOLFSSL

STACKS: tuple[Stack, ...] = (OpenSsl(), GnuTls(), Nss(), Go(), Rustls(), MBEDTLS, WOLFSSL, S2N, MONO)
NOTICED = Noticed()
# Asked where none of those is found by a symbol: it reads the whole file.
WITHOUT_SYMBOLS = WithoutSymbols()


def plan(elf: ElfFile, abilities: Abilities) -> Plan:
    """Where to probe a file, over all stacks; an empty plan where it carries none of them."""
    plans = [stack.plan(elf, abilities) for stack in STACKS]
    if not any(one.sites or one.missing or one.unreadable for one in plans):
        plans.append(WITHOUT_SYMBOLS.plan(elf, abilities))
    # A file that is read is probed at once: the first calls of its first process wait for nobody.  agent/capture/further.py asks later.
    if not any(one.sites for one in plans):
        plans.append(NOTICED.plan(elf, abilities))
    return Plan(
        sites=tuple(site for one in plans for site in one.sites),
        missing=tuple(name for one in plans for name in one.missing),
        unreadable=tuple(stack for one in plans for stack in one.unreadable),
        unsearched=any(one.unsearched for one in plans),
    )
