"""Processes and what they map, without a machine."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from agent.capture import targets as module
from agent.capture.coverage import Library
from agent.capture.elf import ElfFile
from agent.capture.follower import Look
from agent.capture.judge import Judge, Judged
from agent.capture.links import AttachError
from agent.capture.plan import Plan, Probe, Role, Site
from agent.capture.processes import Code, FileId, Mapped
from agent.capture.selection import Choice
from agent.capture.targets import Targets
from agent.model import Process

POD = "/kubepods/burstable/pod11111111-2222-3333-4444-555555555555/" + "a" * 64
SITE = Site(
    function="SSL_read", role=Role.READ_ENTRY, probe=Probe.UPROBE, file_offset=1, emulated=False, instruction="sub"
)
LIBSSL, NODE = "/lib/libssl.so.3", "/usr/bin/node"


@dataclass(eq=False)
class FakeLink:
    path: str
    open: bool = True

    def close(self) -> None:
        self.open = False


@dataclass
class FakeKernel:
    """An attacher that only keeps count."""

    links: list[FakeLink] = field(default_factory=list)
    dropped: set[int] = field(default_factory=set)
    broken: bool = False

    def attach(self, path: str, sites: Iterable[Site], pid: int = 0) -> FakeLink:
        if self.broken:
            raise AttachError(f"{path}: can't attach: needs CAP_BPF")
        self.links.append(FakeLink(path))
        return self.links[-1]

    def select(self, cgroup_id: int, selected: bool) -> None:
        (self.dropped.discard if selected else self.dropped.add)(cgroup_id)

    @property
    def open_paths(self) -> list[str]:
        return [link.path for link in self.links if link.open]


@dataclass
class Machine:
    """Processes and what they map, instead of /proc."""

    kernel: FakeKernel = field(default_factory=FakeKernel)
    files: dict[int, list[str]] = field(default_factory=dict)
    choices: dict[int, Choice] = field(default_factory=dict)
    cgroup: dict[int, tuple[int, str]] = field(default_factory=dict)
    without_tls: set[str] = field(default_factory=set)
    learned: list[int] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    def targets(self, monkeypatch: pytest.MonkeyPatch, *, told: bool = False) -> Targets:
        monkeypatch.setattr(module, "read_process", self._read)
        monkeypatch.setattr(module, "mapped_code", self._mapped)
        monkeypatch.setattr(module, "opened", _opened)
        monkeypatch.setattr(Judge, "_read", lambda judge, mapped: self._plan(mapped))
        return Targets(
            self.kernel,
            planner=_no_plan,
            choose=lambda process: self.choices.get(process.pid, Choice.SELECTED),
            learn=lambda process: self.learned.append(process.pid),
            told=told,
        )

    def _read(self, pid: int) -> Process | None:
        if pid not in self.files:
            return None
        group, path = self.cgroup.get(pid, (5, "/system.slice/a.service"))
        return Process(pid=pid, start_ticks=1, name="p", cgroup_id=group, cgroup_path=path)

    def _mapped(self, pid: int) -> Code:
        return Code(
            files=tuple(
                Mapped(
                    file=FileId(device="0:1", inode=zlib.crc32(path.encode())),
                    path=path,
                    open_paths=(path,),
                    is_program="bin" in path,
                    named="libssl" in path,
                )
                for path in self.files.get(pid, [])
            )
        )

    def _plan(self, mapped: Mapped) -> tuple[Judged, Library | None]:
        self.read.append(mapped.path)
        if mapped.path in self.without_tls:
            return Judged.WITHOUT_TLS, None
        return Judged.TLS, Library(path=mapped.path, plan=Plan(sites=(SITE,)))


def rescan(targets: Targets, at_ns: int) -> None:
    """As the follower does: whoever is due is looked at."""
    for pid in targets.rescan(at_ns):
        while targets.look(pid, at_ns) is Look.LATER:
            pass


@contextmanager
def _opened(mapped: Mapped) -> Iterator[tuple[None, str]]:
    yield None, mapped.path


def _no_plan(elf: ElfFile) -> Plan:
    raise AssertionError("files are not read here")
