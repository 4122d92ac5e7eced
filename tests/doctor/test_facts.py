"""Readers of /proc texts, and a look at the machine that runs the test."""

from __future__ import annotations

import os

from agent.config import loads
from agent.doctor.facts import collect, in_cgroup2, mounted

MOUNTS = """\
proc /proc proc rw 0 0
tmpfs /sys/fs/cgroup tmpfs ro 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
broken
"""


def test_mount_points_are_found_by_kind() -> None:
    """cgroup is not cgroup2, and a broken line is skipped."""
    assert mounted(MOUNTS, "cgroup2") == "/sys/fs/cgroup/unified"
    assert mounted(MOUNTS, "cgroup") == "/sys/fs/cgroup/memory"
    assert mounted(MOUNTS, "tracefs") == ""


def test_the_root_group_is_no_group() -> None:
    """Processes that nobody sorted stand in 0::/, also on machines that only use v1."""
    assert in_cgroup2("12:pids:/kubepods/pod1\n0::/kubepods/pod1\n")
    assert not in_cgroup2("12:pids:/kubepods/pod1\n0::/\n")
    assert not in_cgroup2("12:pids:/kubepods/pod1\n")


def test_this_machine_has_a_kernel() -> None:
    """collect() needs no privileges: what can't be read is a fact too."""
    facts = collect(loads("attribution: {source: host}"), try_things=False)
    assert facts.kernel == os.uname().release
    assert facts.api is None
    assert 0 <= facts.readable <= facts.processes
