"""What the sandbox needs, and how it says so; playing in it is in tests/kernel/."""

import os
import shutil
from pathlib import Path

import pytest

from agent.demo import sandbox
from agent.model import PodtabError


def test_cgroup_root_is_found_beside_version_1(tmp_path: Path) -> None:
    """On hybrid machines version 2 is below /sys/fs/cgroup/unified."""
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"
        "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
        "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n"
    )
    assert sandbox.cgroup_root(mounts) == Path("/sys/fs/cgroup/unified")


def test_without_cgroup_v2_it_says_what_to_do(tmp_path: Path) -> None:
    """One sentence with the command."""
    mounts = tmp_path / "mounts"
    mounts.write_text("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n")
    with pytest.raises(PodtabError, match="mount -t cgroup2"):
        sandbox.cgroup_root(mounts)


def test_without_root_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first check, before any process, folder or cgroup."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PodtabError, match="needs root"), sandbox.sandbox():
        pass


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at once, with the packages."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool in ("ip", "nsenter") else tool)
    with pytest.raises(PodtabError, match="needs nsenter, ip: apt-get install"), sandbox.sandbox():
        pass
