"""The program that sees packets: where it sits, beside whom, and that it goes."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from agent.capture.egress import OFF
from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.links import BPF_CGROUP_INET_EGRESS
from agent.host.cgroups import root_folder

pytestmark = pytest.mark.kernel

SMALL = {"ring_bytes": 64 * 1024, "max_connections": 64, "max_threads": 64, "max_cgroups": 64}
BPF_PROG_QUERY = 16
WATCHES = "import time; from agent.capture.kernel import *; kernel = Kernel(KernelSettings(ring_bytes=65536)); print(kernel.egress.problem, flush=True); time.sleep(60)"


class Query(ctypes.Structure):
    """union bpf_attr of BPF_PROG_QUERY."""

    _fields_ = (
        ("target_fd", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("query_flags", ctypes.c_uint32),
        ("attach_flags", ctypes.c_uint32),
        ("prog_ids", ctypes.c_uint64),
        ("prog_cnt", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    )


def programs(folder: str) -> set[int]:
    """Which sit on a group, by id."""
    numbers = (ctypes.c_uint32 * 64)()
    group = os.open(folder, os.O_RDONLY)
    try:
        query = Query(group, BPF_CGROUP_INET_EGRESS, prog_ids=ctypes.addressof(numbers), prog_cnt=64)
        call = {"x86_64": 321, "aarch64": 280}[platform.machine()]
        assert ctypes.CDLL(None).syscall(call, BPF_PROG_QUERY, ctypes.byref(query), ctypes.sizeof(query)) == 0
    finally:
        os.close(group)
    return set(numbers[: query.prog_cnt])


def test_it_sits_beside_others_and_goes(load: Callable[[KernelSettings], Kernel]) -> None:
    """Two agents at once, as while one is replaced; each takes its own program away."""
    before = programs(root_folder())
    first = load(KernelSettings(**SMALL))
    one = programs(root_folder())
    second = load(KernelSettings(**SMALL))
    both = programs(root_folder())
    assert (first.egress.problem, second.egress.problem) == ("", "")
    assert before < one < both
    first.egress.close()
    first.egress.close()
    assert programs(root_folder()) == both - (one - before)
    second.egress.close()
    assert programs(root_folder()) == before


def test_a_killed_agent_leaves_nothing() -> None:
    """SIGKILL: the link goes with its descriptor."""
    before = programs(root_folder())
    with subprocess.Popen([sys.executable, "-c", WATCHES], stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == "\n", "no problem"
        assert len(programs(root_folder())) == len(before) + 1
        agent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 5
    while programs(root_folder()) != before and time.monotonic() < end:
        time.sleep(0.01)
    assert programs(root_folder()) == before


def test_who_does_not_ask_gets_none(load: Callable[[KernelSettings], Kernel]) -> None:
    """And pays nothing."""
    before = programs(root_folder())
    assert load(KernelSettings(**SMALL, packets=False)).egress.problem == OFF
    assert programs(root_folder()) == before
