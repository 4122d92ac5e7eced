"""
Whether return probes leave confined processes alive, tried on a child of our own and never on somebody else's process.

From 6.11 on a ``uretprobe`` returns through a hidden system call.  Kernels without the later seccomp fix filter that call like any
other, so a process whose allow-list does not name it is killed (https://github.com/systemd/systemd/issues/34615).
"""

from __future__ import annotations

import enum
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from agent.capture.egress import OFF
from agent.capture.elf import ElfError
from agent.capture.kernel import Kernel, harmless_function
from agent.capture.links import AttachError


class Result(enum.StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_MADE = "not_made"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    name: str
    """ring_buffer, uprobe_multi, packets or uretprobe_seccomp."""
    result: Result
    detail: str = ""


def as_seen(kernel: Kernel, uretprobe: SelfTest) -> tuple[SelfTest, ...]:
    """What a running agent knows of the same questions without trying again: a second set of programs would double its memory."""
    seen = kernel.counters()["captured_bytes"]
    said = f"{seen:,} bytes came through since the agent started" if seen else "nothing was captured yet"
    ring = SelfTest(name="ring_buffer", result=Result.PASSED if seen else Result.NOT_MADE, detail=said)
    return (*tried_at_start(kernel), ring, uretprobe)


def tried_at_start(kernel: Kernel) -> Iterator[SelfTest]:
    """The kernel side tries these when it loads, and goes on by itself."""
    if kernel.link_kind == "uprobe_multi":
        yield SelfTest(name="uprobe_multi", result=Result.PASSED)
    elif kernel.link_problem:
        yield SelfTest(name="uprobe_multi", result=Result.FAILED, detail=kernel.link_problem)
    if not kernel.egress.problem:
        yield SelfTest(name="packets", result=Result.PASSED)
    elif kernel.egress.problem != OFF:
        yield SelfTest(name="packets", result=Result.FAILED, detail=kernel.egress.problem)


_CALLS = 3
# An interpreter starts in a fraction of a second; a machine that needs longer than this tells us nothing.
_PATIENCE_SECONDS = 20

# Confines itself, waits for the probe, calls.  The filter kills for the numbers 335 to 423 of x86-64, which are the hidden calls (335
# uretprobe, 336 uprobe) and else unused: exactly the part of an ordinary allow-list that matters here, and no library version can
# trip over it.  Struct sock_filter and the constants: seccomp(2).
CHILD = """
import ctypes, struct, sys
libc = ctypes.CDLL(None)
filter = b"".join(struct.pack("HBBI", *line) for line in (
    (0x20, 0, 0, 0),             # load the number
    (0x35, 0, 2, 335),           # below: allow
    (0x35, 1, 0, 424),           # above: allow
    (0x06, 0, 0, 0x80000000),    # SECCOMP_RET_KILL_PROCESS
    (0x06, 0, 0, 0x7FFF0000),    # SECCOMP_RET_ALLOW
))
room = ctypes.create_string_buffer(filter, len(filter))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(filter) // 8, ctypes.addressof(room)))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
    sys.exit(2)
print("confined", flush=True)
sys.stdin.readline()
for _ in range(CALLS):
    libc.labs(-1)
print("alive", flush=True)
""".replace("CALLS", str(_CALLS))


def uretprobe_seccomp(kernel: Kernel, *, child: str = CHILD) -> SelfTest:
    """PASSED: a confined process survives a return probe that provably fired.  Anything else: do not use them."""
    name = "uretprobe_seccomp"
    before = kernel.counters()["selftest_hits"]
    command = [sys.executable, "-I", "-S", "-c", child]
    try:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            said, problem = _watch(kernel, process)
    except OSError as error:
        return SelfTest(name=name, result=Result.NOT_MADE, detail=f"no child could be started: {error.strerror}")
    if problem:
        return SelfTest(name=name, result=Result.NOT_MADE, detail=problem)
    if process.returncode == -signal.SIGSYS:
        return SelfTest(name=name, result=Result.FAILED, detail="a confined child was killed by its return probe")
    if process.returncode or "alive" not in said:
        return SelfTest(name=name, result=Result.NOT_MADE, detail=f"the child ended with {process.returncode}")
    hits = kernel.counters()["selftest_hits"] - before
    if hits != _CALLS:
        return SelfTest(name=name, result=Result.NOT_MADE, detail=f"{_CALLS} calls, {hits} hits of the return probe")
    return SelfTest(name=name, result=Result.PASSED, detail=f"a confined child survived {hits} hits")


def _watch(kernel: Kernel, process: subprocess.Popen[str]) -> tuple[str, str]:
    """Probe the waiting child and let it go on; what it said, and what kept us from trying."""
    assert process.stdout
    try:
        if process.stdout.readline() != "confined\n":
            return "", "the child could not confine itself"
        path, offset = harmless_function()
        link = kernel.attach_selftest(path, offset, pid=process.pid, returning=True)
        try:
            return process.communicate("go\n", timeout=_PATIENCE_SECONDS)[0], ""
        finally:
            link.close()
    except (AttachError, ElfError, KeyError) as error:
        return "", f"nothing to probe: {error}"
    except subprocess.TimeoutExpired:
        return "", f"the child did not end in {_PATIENCE_SECONDS} s"
    finally:
        process.kill()
