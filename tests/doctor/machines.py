"""Made-up machines."""

from __future__ import annotations

from dataclasses import replace

from agent.capture.selftest import Result, SelfTest
from agent.doctor.facts import Facts

GOOD = Facts(
    kernel="6.18.44",
    machine="x86_64",
    bpf_error="",
    capabilities=frozenset({"SYS_PTRACE", "SYS_ADMIN", "PERFMON", "BPF"}),
    btf=True,
    uprobe_events=True,
    tracefs="/sys/kernel/tracing",
    cgroup2="/sys/fs/cgroup",
    cgroup2_used=True,
    cgroup1=False,
    bcc="0.26.0",
    headers="/opt/podtab/headers",
    host_pids=True,
    processes=20,
    readable=20,
    memlock_bytes=-1,
    selftests=tuple(
        SelfTest(name=name, result=Result.PASSED)
        for name in ("ring_buffer", "uprobe_multi", "uretprobe_seccomp", "packets")
    ),
)
"""Everything is there."""


def with_test(facts: Facts, name: str, result: Result, detail: str = "") -> Facts:
    """The same machine, one self-test going otherwise."""
    others = tuple(test for test in facts.selftests if test.name != name)
    return replace(facts, selftests=(*others, SelfTest(name=name, result=result, detail=detail)))
