"""
Attaching programs to instructions.

``uprobe_multi`` (from 6.6): one system call for all sites of a program, with a cookie each, and no capability beyond CAP_BPF and
CAP_PERFMON.  Else a perf_event uprobe a site.  Closing the descriptors detaches, also when the agent is killed.
Sources: include/uapi/linux/bpf.h (``BPF_LINK_CREATE``), perf_event_open(2).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.model import PodtabError

_SYSCALLS = {"x86_64": (321, 298), "aarch64": (280, 241)}  # bpf(2), perf_event_open(2)
_BPF_LINK_CREATE = 28
BPF_CGROUP_INET_EGRESS, _BPF_PERF_EVENT, BPF_TRACE_UPROBE_MULTI = 1, 41, 48
_BPF_F_UPROBE_MULTI_RETURN = 1
_PERF_FLAG_FD_CLOEXEC = 8
_PERF_EVENT_IOC_ENABLE, _PERF_EVENT_IOC_SET_BPF = 0x2400, 0x40042408
_UPROBE_PMU = Path("/sys/bus/event_source/devices/uprobe")

_libc = ctypes.CDLL(None, use_errno=True)


class AttachError(PodtabError):
    """A link could not be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One instruction for one program."""

    file_offset: int
    cookie: int


@dataclass(slots=True)
class Link:
    """Open descriptors that hold probes in place; ``id`` is what their cookies say."""

    id: int
    descriptors: list[int] = field(default_factory=list)
    farewell: Callable[[], object] | None = None
    """Called once, before the probes go."""

    def close(self) -> None:
        """Detach.  Safe to call twice."""
        if self.farewell:
            self.farewell()
            self.farewell = None
        while self.descriptors:
            os.close(self.descriptors.pop())


class _LinkCreateMulti(ctypes.Structure):
    _fields_ = (
        ("prog_fd", ctypes.c_uint32),
        ("target_fd", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("path", ctypes.c_uint64),
        ("offsets", ctypes.c_uint64),
        ("ref_ctr_offsets", ctypes.c_uint64),
        ("cookies", ctypes.c_uint64),
        ("cnt", ctypes.c_uint32),
        ("multi_flags", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    )


class _LinkCreate(ctypes.Structure):
    _fields_ = (
        ("prog_fd", ctypes.c_uint32),
        ("target_fd", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("bpf_cookie", ctypes.c_uint64),
    )


class _PerfEventAttr(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("unused", ctypes.c_uint64 * 5),
        ("config1", ctypes.c_uint64),
        ("config2", ctypes.c_uint64),
    )


def _syscall(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _numbers() -> tuple[int, int]:
    machine = platform.machine()
    if machine not in _SYSCALLS:
        raise AttachError(f"{machine} is not supported: podtab runs on x86_64 and aarch64")
    return _SYSCALLS[machine]


def perf_event_open(attributes: ctypes.Structure, *, cpu: int, pid: int = -1) -> int:
    """A descriptor; raises OSError."""
    return _syscall(_numbers()[1], ctypes.byref(attributes), pid, cpu, -1, _PERF_FLAG_FD_CLOEXEC)


def attach_multi(program_fd: int, path: str, spots: Sequence[Spot], *, returning: bool, pid: int = 0) -> int:
    """One link for all ``spots`` of one file; returns its descriptor.  ``pid`` 0 means every process that maps the file."""
    count = len(spots)
    offsets = (ctypes.c_uint64 * count)(*(spot.file_offset for spot in spots))
    cookies = (ctypes.c_uint64 * count)(*(spot.cookie for spot in spots))
    text = ctypes.create_string_buffer(os.fsencode(path))
    attributes = _LinkCreateMulti(
        prog_fd=program_fd,
        attach_type=BPF_TRACE_UPROBE_MULTI,
        path=ctypes.addressof(text),
        offsets=ctypes.addressof(offsets),
        cookies=ctypes.addressof(cookies),
        cnt=count,
        multi_flags=_BPF_F_UPROBE_MULTI_RETURN if returning else 0,
        pid=pid,
    )
    return _syscall(_numbers()[0], _BPF_LINK_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))


def attach_perf(program_fd: int, path: str, spot: Spot, *, returning: bool, pid: int = 0, cookies: bool) -> list[int]:
    """One perf_event uprobe; returns its descriptors.  Without ``cookies`` (before 5.15) the program has to know its site."""
    try:
        kind = int((_UPROBE_PMU / "type").read_text())
        bit = int((_UPROBE_PMU / "format" / "retprobe").read_text().split(":")[1])
    except OSError as error:
        raise AttachError(f"{_UPROBE_PMU}: {error.strerror}; this kernel has no perf_event uprobes") from None
    text = ctypes.create_string_buffer(os.fsencode(path))
    attributes = _PerfEventAttr(
        type=kind,
        size=ctypes.sizeof(_PerfEventAttr),
        config=1 << bit if returning else 0,
        config1=ctypes.addressof(text),
        config2=spot.file_offset,
    )
    cpu = -1 if pid else 0  # with no pid one CPU stands for all: a uprobe is not a per-CPU thing
    event = perf_event_open(attributes, pid=pid or -1, cpu=cpu)
    try:
        if cookies:
            create = _LinkCreate(
                prog_fd=program_fd, target_fd=event, attach_type=_BPF_PERF_EVENT, bpf_cookie=spot.cookie
            )
            link = _syscall(_numbers()[0], _BPF_LINK_CREATE, ctypes.byref(create), ctypes.sizeof(create))
            return [link, event]
        fcntl.ioctl(event, _PERF_EVENT_IOC_SET_BPF, program_fd)
        fcntl.ioctl(event, _PERF_EVENT_IOC_ENABLE, 0)
    except OSError:
        os.close(event)
        raise
    return [event]


def attach_cgroup(program_fd: int, folder: str) -> int:
    """A link on what leaves through the sockets of a cgroup and of all below it, beside other programs there; returns its descriptor, raises OSError."""
    group = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        attributes = _LinkCreate(prog_fd=program_fd, target_fd=group, attach_type=BPF_CGROUP_INET_EGRESS)
        return _syscall(_numbers()[0], _BPF_LINK_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    finally:
        os.close(group)


def explained(path: str, action: Callable[[], int | list[int]]) -> list[int]:
    """Run an attach call; its OSError becomes a sentence."""
    try:
        made = action()
    except OSError as error:
        reason = {
            errno.EPERM: "needs CAP_BPF and CAP_PERFMON (perf_event links: CAP_SYS_ADMIN)",
            errno.ENOENT: "the file is gone",
            errno.EINVAL: "the kernel does not know this kind of link, or refuses one of the offsets",
            errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
        }.get(error.errno or 0, error.strerror or "unknown error")
        raise AttachError(f"{path}: can't attach: {reason}") from None
    return made if isinstance(made, list) else [made]
