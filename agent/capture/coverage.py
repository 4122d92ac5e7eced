"""
What is said of one process: which of the TLS code that it executes is read, what is not, and what to do about that.

A stack that nobody can read is told where the process can be believed to use it, which its ``Sign`` says: an alarm at every Java
program of a cluster would soon be turned off.  docs/decisions/0015-stacks-that-are-noticed.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.capture.plan import Plan, Sign, Unreadable
from agent.model import CoverageReason, Process, ProcessCoverage


class Link(Protocol):
    def close(self) -> None: ...


@dataclass(slots=True)
class Library:
    """A file with TLS code that selected processes execute."""

    path: str
    plan: Plan
    is_program: bool = False
    link: Link | None = None
    error: str = ""
    """Why it carries no link; "" when it does."""
    users: set[int] = field(default_factory=set)
    """Selected processes that map it."""
    idle_since_ns: int = 0
    searched: bool = False
    """For stacks that nobody can read, beside those that have probes (``agent/capture/further.py``)."""
    remark: str = ""
    """What else is to be told of it."""
    linked_ticks: int = 0
    """When it got its link, on the clock of ``Process.start_ticks``."""

    @property
    def awaits(self) -> set[Sign]:
        """Signs that would make it worth telling."""
        signs = {one.sign for one in self.plan.unreadable}
        if Sign.PROGRAM in signs:
            signs |= set() if self.is_program else {Sign.TCP}
        return signs - {Sign.PRESENT, Sign.PROGRAM}

    @property
    def speaks_for_itself(self) -> bool:
        """Whether a process that executes it uses TLS, without any sign."""
        plan = self.plan
        certain = {Sign.PRESENT, Sign.PROGRAM} if self.is_program else {Sign.PRESENT}
        return bool(plan.sites or plan.missing or self.error) or any(one.sign in certain for one in plan.unreadable)


def selected(process: Process, used: Sequence[Library], signs: Collection[Sign]) -> ProcessCoverage | None:
    """Of a process that is to be watched; None where nothing says that it uses TLS.  ``signs`` is what was seen of it."""
    read = next((one for one in used if one.link is not None), None)
    carried = [(library, stack) for library in used for stack in library.plan.unreadable]
    told = [
        (library, stack) for library, stack in carried if _told(library, stack, signs, others_are_read=read is not None)
    ]
    failed = [
        one for one in used if one.link is None and (one.plan.sites or one.plan.missing or not one.plan.unreadable)
    ]
    # What can't be read is what a person wants to know, also where another library can.
    if failed or told:
        details = [library.error or "no probe is attached" for library in failed]
        details += [f"{stack.stack}: {stack.detail}" for _, stack in told]
        return ProcessCoverage(
            process=process,
            reason=CoverageReason.CANNOT_DECRYPT,
            library=failed[0].path if failed else told[0][0].path,
            detail="; ".join(details),
            remedy="podtab doctor says what is missing; if nothing is, report the library's build"
            if failed
            else told[0][1].remedy,
        )
    if read is None:
        return None
    notes = [f"not all functions have a probe: {', '.join(read.plan.missing)}"] if read.plan.missing else []
    notes += [read.remark] if read.remark else []
    notes += [f"also has {stack.stack}, which can't be read, and no sign of its use was seen" for _, stack in carried]
    return ProcessCoverage(
        process=process,
        reason=CoverageReason.READABLE,
        library=read.path,
        detail="; ".join(notes),
        older_than_probe=process.start_ticks < read.linked_ticks,
    )


def _told(library: Library, stack: Unreadable, signs: Collection[Sign], *, others_are_read: bool) -> bool:
    if stack.sign is Sign.PRESENT or (stack.sign is Sign.PROGRAM and library.is_program):
        return True
    if stack.sign is Sign.UDP:
        return Sign.UDP in signs
    # Where a readable stack is there as well, the connection is as likely that one's.
    return Sign.TCP in signs and not others_are_read


def unselected(process: Process, library: str) -> ProcessCoverage | None:
    """Of a process that the selection leaves out; ``library`` is a TLS library that it maps."""
    if not library:
        return None
    return ProcessCoverage(
        process=process,
        reason=CoverageReason.NOT_SELECTED,
        library=library,
        detail="the selection leaves it out: its bytes are dropped in the kernel",
        remedy="change the keys under selection in the configuration, if it should be watched",
    )


def denied(process: Process) -> ProcessCoverage:
    """Of a process that may not be looked into."""
    return ProcessCoverage(
        process=process,
        reason=CoverageReason.CANNOT_DECRYPT,
        detail="what it maps may not be read, so its TLS library is not known",
        remedy="run podtab as root or with capability SYS_PTRACE; see podtab doctor",
    )
