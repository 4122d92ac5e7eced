"""
What this kernel does to probes, tried on processes of our own at start, never found out on a customer's.

From 6.11 on a return probe enters the kernel by a hidden system call; kernels without the later seccomp fix kill a confined process for
it.  So a child of ours confines itself and calls a function that carries a return probe.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from agent.capture.elf import ElfError, ElfFile
from agent.capture.kernel import Kernel
from agent.capture.links import AttachError
from agent.capture.plan import Probe, Role, Site

_TIMEOUT_SECONDS = 10
# A function that nobody calls by chance, in a library that every process has.
_FUNCTION = "a64l"

# The child allows every system call but uretprobe (335 on x86-64; arm64 has none), for which it is killed, as
# confined containers are on an unfixed kernel.  linux/seccomp.h, linux/filter.h.
_CHILD = """
import ctypes, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
filters = b"".join(struct.pack("HBBI", *f) for f in (
    (0x20, 0, 0, 0), (0x15, 0, 1, 335), (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7fff0000)))
buffer = ctypes.create_string_buffer(filters, len(filters))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
sys.stdout.write("confined\\n"); sys.stdout.flush()
sys.stdin.readline()
libc.a64l(b"abc")
sys.stdout.write("alive\\n"); sys.stdout.flush()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    uretprobe_safe: bool
    reason: str
    """Why not, in words."""


def uretprobe_under_seccomp(kernel: Kernel) -> SelfTest:
    """Whether a seccomp-confined process survives a return probe.  What can't be tried counts as unsafe."""
    try:
        path, offset = _target()
    except (OSError, ElfError, LookupError) as error:
        return SelfTest(uretprobe_safe=False, reason=f"can't be tried: {type(error).__name__} on the C library")
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdin
    assert child.stdout
    try:
        if child.stdout.readline() != b"confined\n":
            return SelfTest(uretprobe_safe=False, reason="can't be tried: the test process could not confine itself")
        site = Site(function=_FUNCTION, role=Role.CLOSE, probe=Probe.URETPROBE, file_offset=offset, emulated=False)
        link = kernel.attach_empty(path, [site], pid=child.pid)
        try:
            out, _ = child.communicate(b"\n", timeout=_TIMEOUT_SECONDS)
        finally:
            link.close()
    except (AttachError, OSError, subprocess.TimeoutExpired) as error:
        return SelfTest(uretprobe_safe=False, reason=f"can't be tried: {error}")
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
    if out == b"alive\n":
        return SelfTest(uretprobe_safe=True, reason="")
    return SelfTest(
        uretprobe_safe=False, reason="this kernel kills seccomp-confined processes that meet a return probe"
    )


def _target() -> tuple[str, int]:
    with open("/proc/self/maps", encoding="utf-8") as maps:
        path = next(line.split()[5] for line in maps if "/libc.so" in line or "/libc-" in line)
    with open(path, "rb") as file:
        function = ElfFile(file).functions([_FUNCTION])[_FUNCTION]
    return path, function.file_offset


__all__ = ["SelfTest", "uretprobe_under_seccomp"]
