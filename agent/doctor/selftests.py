"""
What only trying tells.  Our own process talks TLS to itself, in memory, while capture watches it: whatever is wrong between the
library and the ring buffer shows here, and never on somebody else's process.

A test that could not be made is told as such; it is not a pass.
"""

from __future__ import annotations

import os
import ssl

from agent.capture.elf import ElfError, ElfFile
from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.selftest import Result, SelfTest, tried_at_start, uretprobe_seccomp
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.model import Chunk, Direction, PodtabError

# Odd, so that no other figure can be mistaken for it; and larger than the smallest record class.
_PAYLOAD = b"podtab doctor " * 23
_RING_BYTES = 64 * 1024


def selftests(*, packets: bool = True) -> tuple[SelfTest, ...]:
    """All of them; needs what capture needs.  Takes about two seconds, most of it LLVM's."""
    path = own_library()
    if not path:
        why = "our own Python has its TLS library built in"
        return (SelfTest(name="ring_buffer", result=Result.NOT_MADE, detail=why),)
    small = KernelSettings(ring_bytes=_RING_BYTES, max_connections=64, max_threads=64, max_cgroups=64, packets=packets)
    try:
        kernel = Kernel(small)
    except PodtabError as error:
        return (SelfTest(name="ring_buffer", result=Result.FAILED, detail=str(error)),)
    try:
        return (*tried_at_start(kernel), _ring_buffer(kernel, path), uretprobe_seccomp(kernel))
    finally:
        kernel.close()


def _ring_buffer(kernel: Kernel, path: str) -> SelfTest:
    if problem := _problem(kernel, path):
        return SelfTest(name="ring_buffer", result=Result.FAILED, detail=problem)
    said = f"tried through {kernel.link_kind}: {len(_PAYLOAD)} bytes each way, all seen"
    return SelfTest(name="ring_buffer", result=Result.PASSED, detail=said)


def _problem(kernel: Kernel, path: str) -> str:
    """What goes wrong when our own process is watched; "" for nothing."""
    try:
        with open(path, "rb") as file:
            sites = plan(ElfFile(file), Abilities(uretprobe_safe=False, cookies=kernel.cookies)).sites
        link = kernel.attach(path, sites, pid=os.getpid())
        try:
            talk()
            seen = [happening for happening in kernel.poll() if isinstance(happening, Chunk)]
        finally:
            link.close()
    except (PodtabError, ElfError, OSError) as error:
        return str(error)
    for direction in Direction:
        count = b"".join(chunk.data for chunk in seen if chunk.direction is direction).count(_PAYLOAD)
        if count != 1:
            return f"what was {direction.name.lower()} once was seen {count} times"
    return ""


def own_library() -> str:
    """The libssl that this process itself uses; "" where it is part of another file."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            path = line.rstrip("\n").partition("/")[2]
            if "/libssl" in f"/{path}" and " r-xp " in line:
                return f"/{path}"
    return ""


def talk() -> None:
    """One TLS connection with both ends here: the payload goes from the client to the server.  No socket, no certificate."""
    ends = []
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    for protocol, incoming, outgoing in (
        (ssl.PROTOCOL_TLS_CLIENT, to_client, to_server),
        (ssl.PROTOCOL_TLS_SERVER, to_server, to_client),
    ):
        context = ssl.SSLContext(protocol)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # Anonymous key exchange needs no certificate; it is gone from TLS 1.3.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aNULL:@SECLEVEL=0")
        ends.append(context.wrap_bio(incoming, outgoing, server_side=protocol is ssl.PROTOCOL_TLS_SERVER))
    client, server = ends
    for end in (client, server, client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    client.write(_PAYLOAD)
    server.read(len(_PAYLOAD))
