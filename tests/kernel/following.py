"""An agent's thread that follows our own children: real files, real mappings, and the kernel's news as the agent hears it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.capture.elf import ElfFile
from agent.capture.follower import Follower
from agent.capture.kernel import Kernel
from agent.capture.mappings import Mappings
from agent.capture.plan import Plan
from agent.capture.ring import Happening, ProcessEnded, ProcessStarted
from agent.capture.selection import Choice
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.capture.targets import Targets
from agent.model import Process


@dataclass(frozen=True)
class Following:
    kernel: Kernel
    targets: Targets
    follower: Follower

    def drain(self) -> list[Happening]:
        """As the agent does, when called."""
        happened = self.kernel.poll()
        for one in happened:
            if isinstance(one, ProcessStarted | ProcessEnded):
                self.follower.hear(one)
        return happened


@contextmanager
def following(kernel: Kernel, heard: Mappings | None) -> Iterator[Following]:
    """Until it is left."""
    targets = Targets(kernel, planner=_planned, choose=_ours, learn=lambda _: None, told=heard is not None)
    follower = Follower(targets, heard)
    follower.start()
    try:
        yield Following(kernel, targets, follower)
    finally:
        follower.stop()
        targets.close()


def _planned(elf: ElfFile) -> Plan:
    return plan(elf, Abilities(uretprobe_safe=True))


def _ours(process: Process) -> Choice:
    try:
        parent = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return Choice.UNSELECTED
    return Choice.SELECTED if int(parent) == os.getpid() else Choice.UNSELECTED
