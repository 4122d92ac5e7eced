"""The TLS libraries that running processes use, found as capture finds them, and the sites it would probe.  Nothing is attached."""

from __future__ import annotations

from collections.abc import Iterable

from agent.capture.elf import ElfFile
from agent.capture.plan import Plan, Site
from agent.capture.processes import pids
from agent.capture.selection import Choice
from agent.capture.signature import Signature, shipped
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.capture.targets import LibraryStatus, Targets
from agent.model import Process


def libraries(
    *,
    uretprobe_safe: bool,
    cookies: bool = True,
    signatures: tuple[Signature, ...] | None = None,
    only: Iterable[int] | None = None,
) -> tuple[LibraryStatus, ...]:
    """Of all running processes, or of ``only`` these, by path."""

    def planner(elf: ElfFile) -> Plan:
        return plan(
            elf,
            Abilities(
                uretprobe_safe=uretprobe_safe,
                cookies=cookies,
                signatures=shipped() if signatures is None else signatures,
            ),
        )

    targets = Targets(_Nothing(), planner=planner, choose=_everybody, learn=_ignore)
    for pid in pids() if only is None else only:
        targets.started(pid, 0)
    return tuple(sorted(targets.status(), key=lambda library: library.path))


class _Nothing:
    """Stands where the kernel would."""

    def attach(self, path: str, sites: Iterable[Site], pid: int = 0) -> _Nothing:  # noqa: ARG002 - nothing happens
        return self

    def select(self, cgroup_id: int, selected: bool) -> None:
        pass

    def close(self) -> None:
        pass


def _everybody(process: Process) -> Choice:  # noqa: ARG001 - everybody
    return Choice.SELECTED


def _ignore(process: Process) -> None:
    pass
