"""Judgements: each looks at the facts and at nothing else, and says what was found, what it means and how to get it."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass

from agent.capture.selftest import Result, SelfTest
from agent.doctor.facts import Facts

OLDEST_KERNEL = (5, 8)
"""Ring buffer, CAP_BPF and CAP_PERFMON."""
MULTI_KERNEL = (6, 6)
"""uprobe_multi links."""
COOKIE_KERNEL = (5, 15)
"""bpf_get_attach_cookie."""
ARCHITECTURES = ("x86_64", "aarch64")


class Grade(enum.StrEnum):
    OK = "ok"
    WARN = "warn"
    """Works, with something lost that is told."""
    FAIL = "fail"
    """Capture can't work like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    grade: Grade
    found: str
    meaning: str = ""
    """What follows from it; "" where nothing does."""
    remedy: str = ""
    """How to get it; "" where nothing is missing."""


def examine(facts: Facts) -> tuple[Check, ...]:
    """All checks, in the order in which a person would mend things."""
    return tuple(check(facts) for check in CHECKS)


def kernel(facts: Facts) -> Check:
    version = _version(facts.kernel)
    if version < OLDEST_KERNEL:
        return Check(
            name="kernel",
            grade=Grade.FAIL,
            found=facts.kernel,
            meaning="older than 5.8: no BPF ring buffer, nothing can be captured",
            remedy="run a node image with kernel 5.8 or later",
        )
    if version < COOKIE_KERNEL:
        meaning = "no attach cookies before 5.15: probes sit on each function's own entry and return, which is slower; Go programs are not read"
        return Check(name="kernel", grade=Grade.OK, found=facts.kernel, meaning=meaning)
    return Check(name="kernel", grade=Grade.OK, found=facts.kernel)


def architecture(facts: Facts) -> Check:
    if facts.machine in ARCHITECTURES:
        return Check(name="architecture", grade=Grade.OK, found=facts.machine)
    return Check(
        name="architecture",
        grade=Grade.FAIL,
        found=facts.machine,
        meaning="probe sites are chosen by disassembly, and this processor's code can't be read",
        remedy=f"run on {' or '.join(ARCHITECTURES)}",
    )


def bpf(facts: Facts) -> Check:
    if not facts.bpf_error:
        return Check(name="bpf", grade=Grade.OK, found="a map can be made")
    remedies = {
        "EPERM": "run as root, or with capability BPF (chart: security.profile)",
        "ENOSYS": "use a kernel with CONFIG_BPF_SYSCALL=y",
    }
    return Check(
        name="bpf",
        grade=Grade.FAIL,
        found=f"bpf(): {facts.bpf_error}",
        meaning="no BPF program can be loaded",
        remedy=remedies.get(facts.bpf_error, "see what denies the bpf() system call: a seccomp profile, or lockdown"),
    )


def capabilities(facts: Facts) -> Check:
    have, admin = facts.capabilities, "SYS_ADMIN" in facts.capabilities
    found = ", ".join(sorted(have)) or "none"
    missing = [name for name in ("BPF", "PERFMON", "SYS_PTRACE") if name not in have]
    if admin:  # it includes BPF and PERFMON
        missing = [name for name in missing if name == "SYS_PTRACE"]
    if missing:
        return Check(
            name="capabilities",
            grade=Grade.FAIL,
            found=found,
            meaning=f"without {', '.join(missing)} programs can't be loaded or other processes' libraries not reached",
            remedy="run as root, or add them to the container (the chart's profile least has exactly these three)",
        )
    if not admin and not multi_links(facts):
        return Check(
            name="capabilities",
            grade=Grade.FAIL,
            found=found,
            meaning="this kernel has only perf_event uprobes, which need SYS_ADMIN",
            remedy="use the chart's security.profile=privileged, or a kernel from 6.6",
        )
    return Check(name="capabilities", grade=Grade.OK, found=found)


def bcc(facts: Facts) -> Check:
    if facts.bcc:
        return Check(name="bcc", grade=Grade.OK, found=facts.bcc)
    return Check(
        name="bcc",
        grade=Grade.FAIL,
        found="not importable",
        meaning=f"BPF programs can't be compiled: {facts.bcc_error}",
        remedy="apt install python3-bpfcc, and use the system's Python (a venv with --system-site-packages)",
    )


def headers(facts: Facts) -> Check:
    if facts.headers:
        return Check(name="headers", grade=Grade.OK, found=facts.headers, meaning="our own: the node needs none")
    return Check(
        name="headers",
        grade=Grade.FAIL,
        found="missing",
        meaning="the BPF programs compile against headers that come with podtab, and they are not there",
        remedy="install podtab anew: the folder bpf/headers belongs to it",
    )


def links(facts: Facts) -> Check:
    if multi_links(facts):
        return Check(name="links", grade=Grade.OK, found="uprobe_multi")
    if facts.uprobe_events:
        meaning = "one perf_event a site: slower to attach, and SYS_ADMIN is needed"
        return Check(name="links", grade=Grade.OK, found="perf_event", meaning=meaning)
    return Check(
        name="links",
        grade=Grade.FAIL,
        found="neither uprobe_multi nor perf_event uprobes",
        meaning="nothing can be probed",
        remedy="use a kernel with CONFIG_UPROBES=y and CONFIG_PERF_EVENTS=y, and mount /sys",
    )


def tracefs(facts: Facts) -> Check:
    meaning = "" if facts.tracefs else "not needed: process births and deaths come from raw tracepoints"
    return Check(name="tracefs", grade=Grade.OK, found=facts.tracefs or "not mounted", meaning=meaning)


def btf(facts: Facts) -> Check:
    found = "present" if facts.btf else "absent"
    return Check(name="btf", grade=Grade.OK, found=found, meaning="not needed: no kernel struct is ever read")


def cgroups(facts: Facts) -> Check:
    if facts.cgroup2:
        beside = ", v1 beside it" if facts.cgroup1 else ""
        return Check(name="cgroups", grade=Grade.OK, found=f"v2 at {facts.cgroup2}{beside}")
    if facts.cgroup2_used:
        return Check(
            name="cgroups", grade=Grade.OK, found="v2, not mounted here", meaning="/proc names the groups all the same"
        )
    return Check(
        name="cgroups",
        grade=Grade.WARN,
        found="v1 only" if facts.cgroup1 else "none mounted",
        meaning="calls can't be told apart by cgroup id; pods are named by process instead, so very short processes may stay unnamed",
        remedy="boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2",
    )


def processes(facts: Facts) -> Check:
    found = f"{facts.readable} of {facts.processes} sampled processes readable"
    if facts.processes and not facts.readable:
        return Check(
            name="processes",
            grade=Grade.FAIL,
            found=found,
            meaning="other processes' libraries can't be found",
            remedy="run as root or with capability SYS_PTRACE",
        )
    if not facts.host_pids:
        return Check(
            name="processes",
            grade=Grade.WARN,
            found=f"{found}; not in the host's pid namespace",
            meaning="only processes of this container are seen",
            remedy="set hostPID: true (the chart does)",
        )
    return Check(name="processes", grade=Grade.OK, found=found)


def memlock(facts: Facts) -> Check:
    unlimited = facts.memlock_bytes < 0
    found = "unlimited" if unlimited else f"{facts.memlock_bytes // 1024:,} KiB"
    if _version(facts.kernel) >= (5, 11):
        return Check(
            name="memlock", grade=Grade.OK, found=found, meaning="not used: from 5.11 BPF memory counts in the cgroup"
        )
    if unlimited or facts.memlock_bytes >= 64 * 1024**2:
        return Check(name="memlock", grade=Grade.OK, found=found)
    return Check(
        name="memlock",
        grade=Grade.WARN,
        found=found,
        meaning="before 5.11 BPF maps count against this limit, and 64 MiB are wanted",
        remedy="ulimit -l unlimited, LimitMEMLOCK=infinity, or capability SYS_RESOURCE",
    )


def ring_buffer(facts: Facts) -> Check:
    return _tried(
        facts,
        "ring_buffer",
        Grade.FAIL,
        meaning="records do not come through",
        remedy="see the detail; lower capture.ring_bytes if memory is short",
    )


def uprobe_multi(facts: Facts) -> Check:
    if _version(facts.kernel) < MULTI_KERNEL:
        return Check(
            name="uprobe_multi",
            grade=Grade.OK,
            found="not in this kernel",
            meaning="comes with 6.6; perf_event links are used",
        )
    return _tried(facts, "uprobe_multi", Grade.WARN, meaning="perf_event links are used instead", remedy="")


def packets(facts: Facts) -> Check:
    test = _test(facts, "packets")
    if test is None:
        return Check(name="packets", grade=Grade.OK, found="not asked for, or capture was not tried")
    if test.result is Result.PASSED:
        return Check(name="packets", grade=Grade.OK, found="seen as they leave")
    return Check(
        name="packets",
        grade=Grade.WARN,
        found=f"not seen: {test.detail}",
        meaning="whom a connection goes to stays unknown where its program does not tell the TLS library (asyncio, Node.js, gRPC …)",
        remedy="capability NET_ADMIN and cgroup v2 (the chart's config.capture.packets), or capture.packets: false",
    )


def uretprobe_seccomp(facts: Facts) -> Check:
    return _tried(
        facts,
        "uretprobe_seccomp",
        Grade.WARN,
        meaning="a uretprobe would get confined processes killed, so the slower RET instructions are probed where a return needs it",
        remedy="use a kernel with the fix: uretprobe's system call passes seccomp",
    )


def sites(facts: Facts) -> Check:
    if not facts.libraries:
        meaning = "no running process uses a TLS library that podtab reads; later ones are found when they start"
        return Check(name="sites", grade=Grade.OK, found="no library in use", meaning=meaning)
    libraries, processes = len(facts.libraries), sum(library.processes for library in facts.libraries)
    found = f"{libraries} {'library' if libraries == 1 else 'libraries'} in {processes} process{'' if processes == 1 else 'es'}"
    broken = [
        f"{library.path} ({', '.join((*library.missing, *filter(None, [library.error])))})"
        for library in facts.libraries
        if library.missing or library.error
    ]
    slow = [f"{library.path} ({', '.join(library.slow_sites)})" for library in facts.libraries if library.slow_sites]
    if broken:
        meaning = f"no probe site was found in {'; '.join(broken)}: calls through these functions are not seen"
        return Check(name="sites", grade=Grade.WARN, found=found, meaning=meaning, remedy="report the library's build")
    if slow:
        meaning = f"single-stepped, so slower by microseconds a call: {'; '.join(slow)}"
        return Check(name="sites", grade=Grade.OK, found=found, meaning=meaning)
    return Check(name="sites", grade=Grade.OK, found=f"{found}, all on emulated instructions")


def names(facts: Facts) -> Check:
    if facts.api is None:
        return Check(name="names", grade=Grade.OK, found="no API server configured")
    server = facts.api.server or "no address"
    if not facts.api.problem:
        return Check(name="names", grade=Grade.OK, found=f"{server} lists pods")
    remedies = {
        "unconfigured": "run inside a cluster with a service account, or set attribution.kubeconfig",
        "unreachable": "check the address and the network; calls are counted meanwhile, by cgroup only",
        "denied": "grant get, list, watch on pods (the chart's rbac.create does)",
    }
    return Check(
        name="names",
        grade=Grade.WARN,
        found=f"{server}: {facts.api.problem}",
        meaning=f"calls are counted, pods can't be named: {facts.api.detail}",
        remedy=remedies.get(facts.api.problem, "look at the API server"),
    )


def profile(facts: Facts) -> Check:
    """Which of the chart's security profiles this node can do with."""
    test = _test(facts, "uprobe_multi")
    if multi_links(facts) and test is not None and test.result is Result.PASSED:
        return Check(
            name="profile", grade=Grade.OK, found="least", meaning="three capabilities are enough on this node"
        )
    return Check(
        name="profile", grade=Grade.OK, found="privileged", meaning="least needs uprobe_multi links, tried and working"
    )


def multi_links(facts: Facts) -> bool:
    """uprobe_multi is there, as far as is known: new enough, and not seen failing."""
    test = _test(facts, "uprobe_multi")
    return _version(facts.kernel) >= MULTI_KERNEL and (test is None or test.result is not Result.FAILED)


CHECKS: tuple[Callable[[Facts], Check], ...] = (
    kernel,
    architecture,
    bpf,
    capabilities,
    bcc,
    headers,
    links,
    tracefs,
    btf,
    cgroups,
    processes,
    memlock,
    ring_buffer,
    uprobe_multi,
    uretprobe_seccomp,
    packets,
    sites,
    names,
    profile,
)


def _tried(facts: Facts, name: str, worst: Grade, *, meaning: str, remedy: str) -> Check:
    test = _test(facts, name)
    if test is None or test.result is Result.NOT_MADE:
        why = f": {test.detail}" if test and test.detail else ""
        return Check(name=name, grade=Grade.WARN, found=f"could not be tried{why}", meaning="the safe way is taken")
    if test.result is Result.PASSED:
        return Check(name=name, grade=Grade.OK, found=test.detail or "tried, works")
    return Check(name=name, grade=worst, found=f"fails: {test.detail}", meaning=meaning, remedy=remedy)


def _test(facts: Facts, name: str) -> SelfTest | None:
    return next((test for test in facts.selftests if test.name == name), None)


def _version(release: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)
