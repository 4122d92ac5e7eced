"""
From processes to links: every TLS file that a selected process executes carries one link; files that nobody selected uses carry none.

Every file that is executed is judged, once for all processes that map it, and again when it was written since.

A link is on the inode, so it also covers later containers of the same image from their first instruction, and forks.  Two mounts of
one image can lead to one inode twice; then both links fire, and the kernel side lets the first one's hit count.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agent.capture import coverage
from agent.capture.coverage import Library, Link
from agent.capture.elf import ElfFile
from agent.capture.follower import Look
from agent.capture.further import Further, Search
from agent.capture.judge import Budget, Judge, Judged
from agent.capture.plan import Plan, Sign, Site
from agent.capture.processes import Code, FileId, Mapped, mapped_code, opened, read_process
from agent.capture.selection import Choice
from agent.capture.sockets import signs_of
from agent.host.containers import pod_of
from agent.model import PodtabError, Process, ProcessCoverage

# A link stays this long after its last process ended: the next container of the image is then covered from its first instruction.
IDLE_NS = 600 * 10**9
_MAX_IDLE_LINKS = 512
# Where the kernel does not tell of mappings, a late dlopen is found by looking again, less and less often.
RESCAN_AFTER_NS = tuple(int(seconds * 1e9) for seconds in (0.1, 0.3, 1, 3, 10, 30))
# A file that was met before has its link: only who uses it is to be known.
_SOON_NS = 10**8
# Files are read this long at a time: meanwhile another process, or this one, may map the file that matters.
_PATIENCE_SECONDS = 0.01
_UNHURRIED = float("inf")
# A process that maps without end gets a tenth of our time.
_REST_PER_LOOK = 9
# A call to a model takes seconds, and clients keep connections for longer.
SIGNS_AFTER_NS = 3 * 10**9


class Attacher(Protocol):
    def attach(self, path: str, sites: Iterable[Site], pid: int = 0) -> Link: ...

    def select(self, cgroup_id: int, selected: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryStatus:
    """One TLS file in use, for doctor and metrics."""

    path: str
    processes: int
    sites: int
    slow_sites: tuple[str, ...]
    missing: tuple[str, ...]
    error: str
    """Why it carries no link; "" when it does."""
    unreadable: bool = False
    """Nobody can read its stack: told of its pods, and no fault of this machine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Of how many processes what they map could be read, and of how many it may not."""

    read: int
    denied: int


@dataclass(slots=True)
class _Watched:
    process: Process
    choice: Choice
    started_ns: int
    """When it was read; its program may be older."""
    files: set[FileId] = field(default_factory=set)
    """Replaced, never changed: others read it."""
    unused_library: str = ""
    """Of an unselected process: a TLS library that it maps."""
    mapped: bool = False
    """What it maps was read; a kernel thread maps nothing."""
    denied: bool = False
    """We may not read what it maps."""
    budget: Budget = field(default_factory=Budget)
    looks: int = 0
    next_look_ns: int = 0
    rests_until_ns: int = 0
    """On the monotonic clock: no wish to look is granted before."""
    unfinished: bool = False
    """It has files that were not judged for want of time."""
    signs: frozenset[Sign] = frozenset()
    """Seen so far; replaced, never changed."""
    next_signs_ns: int = 0
    """0: nothing more that it could show would tell us anything."""

    def is_due(self, at_ns: int) -> bool:
        return 0 < self.next_look_ns <= at_ns


class Targets:
    """
    Knows processes, their TLS files and the links on them.  Used from one thread; it may block on reading files.

    ``choose`` says whether a process is selected; ``learn`` is told of every process while it can be read.  ``told``: the caller will
    say of every mapping (``look``, ``look_soon``), so that nobody need be looked at again without.  ``search``: of files with probes.
    """

    def __init__(
        self,
        attacher: Attacher,
        *,
        planner: Callable[[ElfFile], Plan],
        choose: Callable[[Process], Choice],
        learn: Callable[[Process], None],
        told: bool = False,
        search: Search = lambda _: iter(()),
    ) -> None:
        self._looks_after_ns = () if told else RESCAN_AFTER_NS
        self._attacher = attacher
        self._judge = Judge(planner)
        self._further = Further(search)
        self._choose = choose
        self._learn = learn
        self._watched: dict[int, _Watched] = {}
        self._libraries: dict[FileId, Library] = {}
        self._dropped_groups: set[int] = set()
        self.unselected_pids: dict[int, int] = {}
        """Their connections are to be refused; with the group of each.  Read from another thread."""
        self.attach_errors = 0
        self.lost_news = 0
        """Starts, ends and mappings that the caller had no room for; it reconciles then."""

    @property
    def judged(self) -> Mapping[Judged, int]:
        """Files by verdict, each once unless it was written anew."""
        return self._judge.counts

    @property
    def processes(self) -> int:
        return len(self._watched)

    @property
    def sight(self) -> Sight:
        watched = list(self._watched.values())
        return Sight(read=sum(one.mapped for one in watched), denied=sum(one.denied for one in watched))

    # ------------------------------------------------------------------------------------------------------- happenings

    def started(self, pid: int, at_ns: int, patience_seconds: float = _UNHURRIED) -> None:
        """A process was found, or has a new program."""
        self.ended(pid)
        process = read_process(pid)
        if process is None:
            return
        self._learn(process)
        watched = _Watched(process=process, choice=self._choose(process), started_ns=at_ns)
        self._watched[pid] = watched
        self._apply_choice(watched)
        self._look(watched, at_ns, patience_seconds)

    def look(self, pid: int, at_ns: int, since_ns: int = 0) -> Look:
        """It has mapped a file that was never met, has a new program since, or is due: look now, unless it was looked at a moment ago."""
        watched = self._watched.get(pid) if self.knows(pid, since_ns) else None
        if watched is not None and time.monotonic_ns() < watched.rests_until_ns:
            return Look.LATER
        if watched is None or (watched.choice is Choice.UNSELECTED and not watched.is_due(at_ns)):
            self.started(pid, at_ns, _PATIENCE_SECONDS)  # it may have another program since, with another name
            watched = self._watched.get(pid)
        else:
            self._look(watched, at_ns, _PATIENCE_SECONDS)
        if watched is None or watched.choice is Choice.UNSELECTED or not watched.mapped:
            return Look.NOTHING
        return Look.LATER if watched.unfinished else Look.DONE

    def look_soon(self, pid: int, at_ns: int) -> None:
        """One that is known has mapped a file that was met before."""
        watched = self._watched.get(pid)
        if watched is not None and not 0 < watched.next_look_ns <= at_ns + _SOON_NS:
            watched.next_look_ns = at_ns + _SOON_NS

    def look_at_all(self, at_ns: int) -> None:
        """News of mappings was lost, and nobody knows whose."""
        for watched in self._watched.values():
            watched.next_look_ns = at_ns

    def knows(self, pid: int, since_ns: int) -> bool:
        """Whether the program that it has since then was looked at."""
        watched = self._watched.get(pid)
        return watched is not None and watched.started_ns >= since_ns

    def ended(self, pid: int) -> None:
        watched = self._watched.pop(pid, None)
        self.unselected_pids.pop(pid, None)
        if watched is not None:
            for file in watched.files:
                self._leave(file, pid)

    def rescan(self, at_ns: int) -> list[int]:
        """Who is to be looked at again: young processes (late dlopen), and those whose pod was not known.  What costs little is done at once."""
        due: list[int] = []
        for watched in list(self._watched.values()):
            if watched.choice is Choice.UNDECIDED and (choice := self._choose(watched.process)) is not watched.choice:
                watched.choice = choice
                self._apply_choice(watched)
                watched.next_look_ns = at_ns
            if watched.is_due(at_ns):
                due.append(watched.process.pid)
            elif watched.next_signs_ns and at_ns >= watched.next_signs_ns:
                self._seek_signs(watched, at_ns)
        if (more := self._further.step(at_ns)) is not None:
            for pid in more.users:
                self._seek_signs(self._watched[pid], at_ns)
        self._close_idle(at_ns)
        return due

    def reconcile(self, alive: Iterable[int]) -> list[int]:
        """Compare with /proc: ends whose news was lost; and those who live and are not known, or could not be read."""
        alive = set(alive)
        for pid in self._watched.keys() - alive:
            self.ended(pid)
        return sorted(alive - self._watched.keys())

    def close(self) -> None:
        """Detach everything."""
        for library in self._libraries.values():
            if library.link is not None:
                library.link.close()
        self._libraries = {}

    def status(self) -> list[LibraryStatus]:
        """Every TLS file that a selected process uses."""
        return [
            LibraryStatus(
                path=library.path,
                processes=len(library.users),
                sites=len(library.plan.sites) if library.link is not None else 0,
                slow_sites=tuple(
                    f"{site.function} {site.role.name.lower()} ({site.instruction})"
                    for site in library.plan.sites
                    if not site.emulated
                ),
                missing=library.plan.missing,
                error=library.error,
                unreadable=bool(library.plan.unreadable) and not (library.plan.sites or library.plan.missing),
            )
            for library in list(self._libraries.values())
        ]

    def coverage(self) -> list[ProcessCoverage]:
        """Every process that uses TLS.  Asked from other threads: reads and changes nothing."""
        return [one for watched in list(self._watched.values()) if (one := self._covered(watched)) is not None]

    # ---------------------------------------------------------------------------------------------------------- helpers

    def _apply_choice(self, watched: _Watched) -> None:
        """
        Calls of an unselected pod are dropped in the kernel, for where it shares a library with a selected one.

        A group that is no pod's holds all kinds of processes: of those that are not selected the caller refuses each connection.
        """
        process = watched.process
        unselected = watched.choice is Choice.UNSELECTED
        if unselected:
            self.unselected_pids[process.pid] = process.cgroup_id
        else:
            self.unselected_pids.pop(process.pid, None)
        group = process.cgroup_id
        if not group or pod_of(process.cgroup_path) is None:
            return
        if unselected and not any(
            other.process.cgroup_id == group and other.choice is not Choice.UNSELECTED
            for other in self._watched.values()
        ):
            self._attacher.select(group, False)
            self._dropped_groups.add(group)
        elif group in self._dropped_groups:
            self._attacher.select(group, True)
            self._dropped_groups.discard(group)

    def _look(self, watched: _Watched, at_ns: int, patience_seconds: float = _UNHURRIED) -> None:
        pid, after, began_ns = watched.process.pid, self._looks_after_ns, time.monotonic_ns()
        try:
            code = mapped_code(pid)
            watched.denied = False
        except PermissionError:
            watched.denied = True
            code = Code()
        watched.rests_until_ns = (now_ns := time.monotonic_ns()) + _REST_PER_LOOK * (now_ns - began_ns)
        mapped = code.files
        watched.mapped = bool(mapped)
        selected = watched.choice is not Choice.UNSELECTED
        now = {one.file for one in mapped} if selected else set()
        for file in watched.files - now:
            self._leave(file, pid)
        watched.unfinished = False
        watched.files = self._used_of(mapped, watched, patience_seconds) if selected else set()
        # Its files are not read, so one whose name says nothing is known only where a selected process executes it too.
        seen = (
            one.path
            for one in mapped
            if one.named or ((library := self._libraries.get(one.file)) is not None and library.speaks_for_itself)
        )
        watched.unused_library = "" if selected else next(seen, "")
        if watched.unfinished:
            watched.next_look_ns = at_ns
        else:
            if not watched.looks:
                self._judge.counts[Judged.LEFT_OUT] += code.left_out
            watched.next_look_ns = at_ns + after[watched.looks] if watched.looks < len(after) else 0
            watched.looks += 1
        self._seek_signs(watched, at_ns)

    def _used_of(self, mapped: Iterable[Mapped], watched: _Watched, patience_seconds: float) -> set[FileId]:
        """Those with TLS functions.  What is called a TLS library comes first: its calls wait for nobody, and for no hundred other files."""
        used, enough_at = set(), watched.budget.left_seconds - patience_seconds
        for one in sorted(mapped, key=lambda one: not one.named):
            if watched.budget.left_seconds < enough_at:
                watched.unfinished = True
                if one.file in watched.files:
                    used.add(one.file)
            elif self._use(one, watched):
                used.add(one.file)
        return used

    def _seek_signs(self, watched: _Watched, at_ns: int) -> None:
        """Whether a process uses the stacks that it has and that nobody can read."""
        awaited = {sign for library in self._used(watched) for sign in library.awaits} - watched.signs
        if awaited:
            watched.signs |= signs_of(watched.process.pid)
        watched.next_signs_ns = at_ns + SIGNS_AFTER_NS if awaited - watched.signs else 0

    def _used(self, watched: _Watched) -> list[Library]:
        return [library for file in watched.files if (library := self._libraries.get(file)) is not None]

    def _use(self, mapped: Mapped, watched: _Watched) -> bool:
        """Whether the file carries TLS functions; if so, it has a link from now on."""
        library = self._libraries.get(mapped.file)
        if library is None:
            library = self._judge.look(mapped, watched.budget)
            if library is None:
                return False
            self._libraries[mapped.file] = library
        library.users.add(watched.process.pid)
        library.idle_since_ns = 0
        if library.link is None:
            self._attach(library, mapped)
        if library.link is not None and not library.searched:
            self._further.wish(library, mapped)
        return True

    def _attach(self, library: Library, mapped: Mapped) -> None:
        if not library.plan.sites:
            told = library.plan.missing or [
                f"{one.stack}: {one.detail}" for one in library.plan.unreadable if one.sign is Sign.PRESENT
            ]
            library.error = library.error or "; ".join(told)
            return
        path = ""
        try:
            with opened(mapped) as (_, path):
                library.link = self._attacher.attach(path, library.plan.sites)
        except OSError:
            library.error = f"{library.path}: can't be opened"
            self.attach_errors += 1
        except PodtabError as error:
            library.error = str(error).replace(path or library.path, library.path)
            self.attach_errors += 1
        else:
            library.error = ""
            library.linked_ticks = _ticks_since_boot()

    def _covered(self, watched: _Watched) -> ProcessCoverage | None:
        if watched.choice is Choice.UNSELECTED:
            return coverage.unselected(watched.process, watched.unused_library)
        if watched.denied:
            return coverage.denied(watched.process)
        return coverage.selected(watched.process, self._used(watched), watched.signs)

    def _leave(self, file: FileId, pid: int) -> None:
        if (library := self._libraries.get(file)) is not None:
            library.users.discard(pid)

    def _close_idle(self, at_ns: int) -> None:
        idle = [(file, library) for file, library in self._libraries.items() if not library.users]
        for number, (file, library) in enumerate(reversed(idle)):
            library.idle_since_ns = library.idle_since_ns or at_ns
            if at_ns - library.idle_since_ns >= IDLE_NS or number >= _MAX_IDLE_LINKS or library.link is None:
                if library.link is not None:
                    library.link.close()
                del self._libraries[file]


def _ticks_since_boot() -> int:
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))
