"""
What only trying tells.  Our own process talks TLS to itself, in memory, while capture watches it: whatever is wrong between the
library and the ring buffer shows here, and never on somebody else's process.

A test that could not be made is told as such; it is not a pass.
"""

from __future__ import annotations

import enum
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from agent.model import Chunk, Direction

# Odd, so that no other figure can be mistaken for it; and larger than the smallest record class.
_PAYLOAD = b"podtab doctor " * 23
_RING_BYTES = 64 * 1024


class Result(enum.StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_MADE = "not_made"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    name: str
    """ring_buffer, uprobe_multi or uretprobe_seccomp."""
    result: Result
    detail: str = ""


def selftests() -> tuple[SelfTest, ...]:
    """All of them; needs what capture needs.  Takes about two seconds, most of it LLVM's."""
    return (*_capture(), _uretprobe_seccomp())


def _capture() -> Iterator[SelfTest]:
    """Through uprobe_multi where the kernel has it; if that fails, once more through perf_event."""
    path = own_library()
    if not path:
        yield SelfTest(name="ring_buffer", result=Result.NOT_MADE, detail="our own Python has its TLS library built in")
        return
    kind, problem = _round(path, "auto")
    if kind == "uprobe_multi":
        yield SelfTest(name="uprobe_multi", result=Result.FAILED if problem else Result.PASSED, detail=problem)
        if problem:
            kind, problem = _round(path, "perf_event")
    said = problem or f"tried through {kind}: {len(_PAYLOAD)} bytes each way, all seen"
    yield SelfTest(name="ring_buffer", result=Result.FAILED if problem else Result.PASSED, detail=said)


def _round(path: str, links: str) -> tuple[str, str]:
    """The kind of link used, and what went wrong; "" for nothing."""
    from agent.capture.elf import ElfError, ElfFile
    from agent.capture.kernel import Kernel, KernelSettings
    from agent.capture.sites import plan
    from agent.model import PodtabError

    small = KernelSettings(ring_bytes=_RING_BYTES, max_connections=64, max_threads=64, max_cgroups=64, links=links)
    try:
        kernel = Kernel(small)
    except PodtabError as error:
        return links, str(error)
    try:
        with open(path, "rb") as file:
            sites = plan(ElfFile(file), uretprobe_safe=False, cookies=kernel.cookies).sites
        link = kernel.attach(path, sites, pid=os.getpid())
        try:
            talk()
            seen = [happening for happening in kernel.poll() if isinstance(happening, Chunk)]
        finally:
            link.close()
    except (PodtabError, ElfError, OSError) as error:
        return kernel.link_kind, str(error)
    finally:
        kernel.close()
    for direction in Direction:
        count = b"".join(chunk.data for chunk in seen if chunk.direction is direction).count(_PAYLOAD)
        if count != 1:
            return kernel.link_kind, f"what was {direction.name.lower()} once was seen {count} times"
    return kernel.link_kind, ""


def _uretprobe_seccomp() -> SelfTest:
    return SelfTest(name="uretprobe_seccomp", result=Result.NOT_MADE)


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
