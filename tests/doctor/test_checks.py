"""Judgements about made-up machines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.capture.selftest import Result
from agent.capture.targets import LibraryStatus
from agent.doctor.api import ApiAnswer
from agent.doctor.checks import CHECKS, Check, Grade, examine
from tests.doctor.machines import GOOD, with_test


def named(checks: tuple[Check, ...], name: str) -> Check:
    (found,) = [check for check in checks if check.name == name]
    return found


def test_a_good_machine_passes_everything() -> None:
    """No warning, no remedy, and the least privileges are advised."""
    checks = examine(GOOD)
    assert {check.grade for check in checks} == {Grade.OK}
    assert not [check.name for check in checks if check.remedy]
    assert named(checks, "profile").found == "least"


def test_checks_are_named_after_their_functions() -> None:
    """So that a name in a report leads to its code."""
    assert [check.name for check in examine(GOOD)] == [function.__name__ for function in CHECKS]


@pytest.mark.parametrize(
    ("change", "name", "grade", "word"),
    [
        ({"kernel": "5.4.0-150-generic"}, "kernel", Grade.FAIL, "5.8 or later"),
        ({"kernel": "5.8.0"}, "kernel", Grade.OK, "cookies"),
        ({"kernel": "what"}, "kernel", Grade.FAIL, "5.8 or later"),
        ({"machine": "riscv64"}, "architecture", Grade.FAIL, "x86_64 or aarch64"),
        ({"bpf_error": "EPERM"}, "bpf", Grade.FAIL, "capability BPF"),
        ({"bpf_error": "ENOSYS"}, "bpf", Grade.FAIL, "CONFIG_BPF_SYSCALL"),
        ({"bpf_error": "EINVAL"}, "bpf", Grade.FAIL, "seccomp"),
        ({"capabilities": frozenset()}, "capabilities", Grade.FAIL, "BPF, PERFMON, SYS_PTRACE"),
        ({"capabilities": frozenset({"SYS_ADMIN"})}, "capabilities", Grade.FAIL, "SYS_PTRACE"),
        ({"capabilities": frozenset({"SYS_ADMIN", "SYS_PTRACE"})}, "capabilities", Grade.OK, ""),
        ({"capabilities": frozenset({"BPF", "PERFMON", "SYS_PTRACE"})}, "capabilities", Grade.OK, ""),
        (
            {"capabilities": frozenset({"BPF", "PERFMON", "SYS_PTRACE"}), "kernel": "6.1.0"},
            "capabilities",
            Grade.FAIL,
            "privileged",
        ),
        ({"bcc": "", "bcc_error": "No module named 'bcc'"}, "bcc", Grade.FAIL, "python3-bpfcc"),
        ({"headers": ""}, "headers", Grade.FAIL, "install podtab anew"),
        ({"kernel": "6.1.0"}, "links", Grade.OK, "SYS_ADMIN"),
        ({"kernel": "6.1.0", "uprobe_events": False}, "links", Grade.FAIL, "CONFIG_UPROBES"),
        ({"uprobe_events": False}, "links", Grade.OK, ""),
        ({"tracefs": ""}, "tracefs", Grade.OK, "not needed"),
        ({"btf": False}, "btf", Grade.OK, "not needed"),
        ({"cgroup2": "", "cgroup1": True}, "cgroups", Grade.OK, "/proc"),
        ({"cgroup2": "", "cgroup2_used": False, "cgroup1": True}, "cgroups", Grade.WARN, "unified_cgroup_hierarchy"),
        ({"cgroup1": True}, "cgroups", Grade.OK, ""),
        ({"readable": 0}, "processes", Grade.FAIL, "SYS_PTRACE"),
        ({"host_pids": False}, "processes", Grade.WARN, "hostPID"),
        ({"memlock_bytes": 65536}, "memlock", Grade.OK, "not used"),
        ({"memlock_bytes": 65536, "kernel": "5.10.0"}, "memlock", Grade.WARN, "LimitMEMLOCK"),
        ({"memlock_bytes": -1, "kernel": "5.10.0"}, "memlock", Grade.OK, ""),
        ({"kernel": "6.1.0"}, "uprobe_multi", Grade.OK, "6.6"),
        ({"selftests": ()}, "uprobe_multi", Grade.WARN, "safe way"),
        ({"selftests": ()}, "uretprobe_seccomp", Grade.WARN, "safe way"),
        ({"selftests": ()}, "packets", Grade.OK, ""),
        ({"selftests": ()}, "profile", Grade.OK, "tried"),
        (
            {"api": ApiAnswer(server="https://h", problem="denied", detail="HTTP 403")},
            "names",
            Grade.WARN,
            "rbac.create",
        ),
        ({"api": ApiAnswer(server="", problem="unconfigured", detail="x")}, "names", Grade.WARN, "kubeconfig"),
        ({"api": ApiAnswer(server="https://h", problem="unreachable", detail="x")}, "names", Grade.WARN, "network"),
        ({"api": ApiAnswer(server="https://h")}, "names", Grade.OK, ""),
    ],
)
def test_what_is_missing_is_explained(change: dict[str, Any], name: str, grade: Grade, word: str) -> None:
    """One thing changes; its check has the right grade and says the remedy, or why it does not matter."""
    check = named(examine(replace(GOOD, **change)), name)
    assert check.grade is grade
    assert word in f"{check.meaning} {check.remedy}"
    if grade is Grade.FAIL:
        assert check.meaning
        assert check.remedy


def test_a_self_test_that_fails() -> None:
    """A dead ring buffer is the end; without uprobe_multi there is the old way, and privileged is advised."""
    assert named(examine(with_test(GOOD, "ring_buffer", Result.FAILED, "no record")), "ring_buffer").grade is Grade.FAIL
    checks = examine(with_test(GOOD, "uprobe_multi", Result.FAILED, "EINVAL"))
    assert named(checks, "uprobe_multi").grade is Grade.WARN
    assert named(checks, "links").found == "perf_event"
    assert named(checks, "profile").found == "privileged"


def test_a_self_test_that_could_not_be_made_is_no_pass() -> None:
    """Not tried means: the safe way, and a warning that says why."""
    check = named(examine(with_test(GOOD, "uretprobe_seccomp", Result.NOT_MADE, "no cc")), "uretprobe_seccomp")
    assert check.grade is Grade.WARN
    assert "no cc" in check.found


def test_slow_and_missing_sites_are_named() -> None:
    """A slow site is told, a function without any site is a warning with the library's path."""
    library = LibraryStatus(path="/usr/lib/libssl.so.3", processes=2, sites=4, slow_sites=(), missing=(), error="")
    fast = replace(GOOD, libraries=(library,))
    slow = replace(GOOD, libraries=(replace(library, slow_sites=("SSL_read_ex",)),))
    broken = replace(
        GOOD, libraries=(library, replace(library, path="/app/libssl.so", missing=("SSL_write: no symbol",)))
    )
    assert "emulated" in named(examine(fast), "sites").found
    assert "SSL_read_ex" in named(examine(slow), "sites").meaning
    torn = replace(GOOD, libraries=(replace(library, error="not an ELF file"),))
    assert named(examine(torn), "sites").grade is Grade.WARN
    assert "not an ELF file" in named(examine(torn), "sites").meaning
    assert named(examine(broken), "sites").grade is Grade.WARN
    assert "/app/libssl.so (SSL_write: no symbol)" in named(examine(broken), "sites").meaning
