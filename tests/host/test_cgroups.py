"""cgroups of live processes."""

from __future__ import annotations

import os

from agent.host.cgroups import cgroup_id_of_pid, cgroup_path_of_id, cgroup_path_of_pid, process_name, v2_mount


def test_this_process_has_a_group() -> None:
    """Its id is the inode of its v2 folder, and the id leads back to a path."""
    identity = cgroup_id_of_pid(os.getpid())
    if not v2_mount():
        assert identity == 0
        return
    assert identity > 0
    path = cgroup_path_of_id(identity)
    assert os.stat(v2_mount() + path).st_ino == identity


def test_a_process_that_is_gone_has_none() -> None:
    """Empty, not an error."""
    gone = 2**22 + 1  # beyond the largest pid
    assert (cgroup_path_of_pid(gone), cgroup_id_of_pid(gone), process_name(gone)) == ("", 0, "")


def test_an_unknown_id_has_no_path() -> None:
    """Nor has 0, which means unknown."""
    assert cgroup_path_of_id(0) == ""
    assert cgroup_path_of_id(2**63) == ""


def test_a_name_is_the_kernels() -> None:
    """/proc/PID/comm."""
    with open("/proc/self/comm", encoding="utf-8") as file:
        assert process_name(os.getpid()) == file.read().rstrip("\n")
