"""cgroups of live processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.host import cgroups
from agent.host.cgroups import (
    cgroup_id_of_pid,
    cgroup_path_of_id,
    cgroup_path_of_pid,
    process_name,
    root_folder,
    v2_mount,
)


def test_this_process_has_a_group() -> None:
    """Its id is the inode of its v2 folder, and the id leads back to a path."""
    identity = cgroup_id_of_pid(os.getpid())
    if not v2_mount():
        assert identity == 0
        return
    assert identity > 0
    path = cgroup_path_of_id(identity)
    assert os.stat(v2_mount() + path).st_ino == identity


def test_the_root_is_nobody_elses() -> None:
    """Whatever is mounted here: a folder that is the machine's root, or none."""
    folder = root_folder()
    if folder:
        assert os.stat(folder).st_ino == 1
    else:
        assert not v2_mount() or os.stat(v2_mount()).st_ino != 1


def test_a_containers_own_group_is_not_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It has the file that only the root lacks; then the first process's mount is looked at."""
    (tmp_path / "cgroup.procs").touch()
    monkeypatch.setattr(cgroups, "v2_mount", lambda: str(tmp_path))
    monkeypatch.setattr(cgroups, "_below_first_process", lambda: "")
    assert root_folder() == str(tmp_path)
    (tmp_path / "cgroup.events").touch()
    assert root_folder() == ""
    first = tmp_path / "first"
    first.mkdir()
    (first / "cgroup.procs").touch()
    monkeypatch.setattr(cgroups, "_below_first_process", lambda: str(first))
    assert root_folder() == str(first)


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
