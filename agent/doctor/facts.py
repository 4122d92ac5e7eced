"""What this machine has, read once and without judging.  Nothing here changes the machine: the self-tests watch our own children."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
from dataclasses import dataclass
from pathlib import Path

from agent.capture.selftest import Result, SelfTest
from agent.capture.signature import with_own
from agent.capture.targets import LibraryStatus
from agent.config import Config
from agent.doctor.api import ApiAnswer, ask
from agent.doctor.libraries import libraries
from agent.doctor.selftests import selftests
from agent.host.capabilities import effective

_BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
_BPF_MAP_TYPE_ARRAY = 2
# Enough to see whether other processes can be read at all; doctor must be quick on a node with thousands.
_MAX_SAMPLED_PROCESSES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One machine, seen from where podtab runs."""

    kernel: str
    """uname -r"""
    machine: str
    """uname -m"""
    bpf_error: str
    """Why a small BPF map can't be made (EPERM, ENOSYS …); "" when it can."""
    capabilities: frozenset[str]
    """Of the four that matter, those in our effective set."""
    btf: bool
    uprobe_events: bool
    """The kernel has perf_event uprobes (/sys/bus/event_source/devices/uprobe)."""
    tracefs: str
    """Where tracefs is mounted; "" where it is not."""
    cgroup2: str
    """Where the cgroup v2 hierarchy is mounted; "" where it is not."""
    cgroup2_used: bool
    """Some process stands in a v2 group of its own, which /proc tells also where v2 is not mounted."""
    cgroup1: bool
    """cgroup v1 hierarchies are mounted too."""
    bcc: str
    """BCC's version; "" when it can't be imported."""
    bcc_error: str = ""
    headers: str
    """The folder of our own kernel headers; "" when it is not there."""
    host_pids: bool
    """We see the host's processes, not only our container's."""
    processes: int
    """Other processes sampled …"""
    readable: int
    """… and how many of their memory maps could be read."""
    memlock_bytes: int
    """RLIMIT_MEMLOCK; -1 for unlimited."""
    selftests: tuple[SelfTest, ...] = ()
    libraries: tuple[LibraryStatus, ...] = ()
    api: ApiAnswer | None = None
    """None where no API server is configured."""


def collect(config: Config, *, try_things: bool = True, tried: tuple[SelfTest, ...] = ()) -> Facts:
    """
    Look at this machine.  The self-tests take a second or two: they compile and attach.

    ``tried`` are those that a running agent made when it started; with them, give ``try_things=False``.
    """
    release, machine = platform.release(), platform.machine()
    capabilities = effective(_text("/proc/self/status"))
    mounts = _text("/proc/self/mounts")
    bcc, bcc_error = _bcc()
    processes, readable = _readable_processes()
    bpf_error = _bpf_error(machine)
    tests = selftests(packets=config.capture.packets) if try_things and bcc and not bpf_error else tried
    uretprobe_safe = any(test.name == "uretprobe_seccomp" and test.result is Result.PASSED for test in tests)
    return Facts(
        kernel=release,
        machine=machine,
        bpf_error=bpf_error,
        capabilities=capabilities,
        btf=Path("/sys/kernel/btf/vmlinux").exists(),
        uprobe_events=Path("/sys/bus/event_source/devices/uprobe/type").exists(),
        tracefs=mounted(mounts, "tracefs"),
        cgroup2=mounted(mounts, "cgroup2"),
        cgroup2_used=any(in_cgroup2(_text(f"/proc/{pid}/cgroup")) for pid in _pids()),
        cgroup1=bool(mounted(mounts, "cgroup")),
        bcc=bcc,
        bcc_error=bcc_error,
        headers=_headers(),
        host_pids=_text("/proc/2/comm").strip() == "kthreadd",
        processes=processes,
        readable=readable,
        memlock_bytes=resource.getrlimit(resource.RLIMIT_MEMLOCK)[0],
        selftests=tests,
        libraries=libraries(uretprobe_safe=uretprobe_safe, signatures=with_own(config.capture.signatures)),
        api=ask(config.attribution),
    )


def mounted(mounts: str, kind: str) -> str:
    """First mount point of a file system kind in a /proc/self/mounts; "" for none."""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) >= 3 and fields[2] == kind:
            return fields[1]
    return ""


def in_cgroup2(text: str) -> bool:
    """Of a /proc/PID/cgroup: whether the process is in a v2 group below the root."""
    return any(line.startswith("0::/") and line.strip() != "0::/" for line in text.splitlines())


def _bpf_error(machine: str) -> str:
    number = _BPF_SYSCALL.get(machine)
    if number is None:
        return "ENOSYS"
    # union bpf_attr of BPF_MAP_CREATE: map_type, key_size, value_size, max_entries; the rest zero.
    attributes = (ctypes.c_uint32 * 32)(_BPF_MAP_TYPE_ARRAY, 4, 8, 1)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(number, 0, attributes, ctypes.sizeof(attributes))
    if descriptor < 0:
        return errno.errorcode.get(ctypes.get_errno(), str(ctypes.get_errno()))
    os.close(descriptor)
    return ""


def _bcc() -> tuple[str, str]:
    try:
        import bcc
    except (ImportError, OSError) as error:
        return "", str(error)
    return str(bcc.__version__), ""


def _headers() -> str:
    from agent.capture import source

    folder = source.folder() / "headers"
    return str(folder) if folder.is_dir() else ""


def _readable_processes() -> tuple[int, int]:
    tried = readable = 0
    for name in _pids():
        if int(name) == os.getpid() or tried == _MAX_SAMPLED_PROCESSES:
            continue
        try:
            os.readlink(f"/proc/{name}/exe")
        except FileNotFoundError:
            continue  # a kernel thread, or gone
        except PermissionError:
            tried += 1
            continue
        tried += 1
        try:
            with open(f"/proc/{name}/maps", "rb") as maps:
                readable += bool(maps.read(1))
            os.stat(f"/proc/{name}/root/")
        except OSError:
            continue
    return tried, readable


def _pids() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
