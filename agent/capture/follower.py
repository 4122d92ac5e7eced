"""
Follows processes: what the kernel tells of births, ends and mappings becomes looks at /proc, and looks become links.

Two roads lead here.  Ends, and births as a second opinion, come through the ring buffer, in order with what was said on connections.  Mappings
come from the kernel at once (``agent/capture/mappings.py``): a file that was never met is looked at within milliseconds, so that the first
calls of a short-lived process are seen; one that was met has its links, and only its users are counted, a little later.

A tenant can exec and map in a loop.  Each process waits between two looks for a multiple of what a look costs, all of them together get a
share of one processor, and what the queues can't hold is counted and made up for by comparing with /proc.  Nor do a tenant's files that take
long keep others waiting: every look is at whom the least was read for of late, and at whom little was read for without a share.
"""

from __future__ import annotations

import enum
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from agent.capture.fairness import Fairness, group_of
from agent.capture.mappings import File, Mapping, Mappings, MappingsError
from agent.capture.processes import pids
from agent.capture.ring import ProcessEnded, ProcessStarted
from agent.host.cgroups import cgroup_path_of_pid
from agent.logs import Log

if TYPE_CHECKING:
    from agent.capture.targets import LibraryStatus

_LOG = Log("agent")

_RESCAN_SECONDS = 0.1
_RECONCILE_SECONDS = 30.0
# After a loss; looking at a node's thousand processes takes half a second.
_MAKE_UP_SECONDS = 5.0
# A program maps a hundred libraries within milliseconds: they are met together.
_GATHER_SECONDS = 0.001
# Births and ends that wait to be looked at; beyond it the next reconciliation finds what was missed.
_MAX_NEWS = 65_536
# Files that were met; a node's images have some thousands.  Whoever makes more has each looked at again.
_MAX_MET = 50_000
# Processes that wait for a look.
_MAX_WAITING = 4_096
# Of one processor.  A node that starts with a hundred images reads for half a minute.
_SHARE = 0.5
_MAX_CREDIT_SECONDS = 20.0
# Of a processor: then whoever came meanwhile may have to go first.
_ROUND_SECONDS = 0.05
# Reading a large program takes this long.
_FAREWELL_SECONDS = 2.0


class Look(enum.Enum):
    """What came of a wish to look at a process."""

    DONE = enum.auto()
    """All that it maps now is judged."""
    NOTHING = enum.auto()
    """It is gone, or not ours to read, or not selected."""
    LATER = enum.auto()
    """To be asked again: it was looked at a moment ago, or has more to read."""


class Watcher(Protocol):
    """``Targets``, as it is told."""

    lost_news: int

    def ended(self, pid: int) -> None: ...

    def look(self, pid: int, at_ns: int, since_ns: int = 0) -> Look: ...

    def look_soon(self, pid: int, at_ns: int) -> None: ...

    def look_at_all(self, at_ns: int) -> None: ...

    def knows(self, pid: int, since_ns: int) -> bool: ...

    def rescan(self, at_ns: int) -> Iterable[int]: ...

    def status(self) -> Sequence[LibraryStatus]: ...

    def reconcile(self, alive: Iterable[int]) -> Iterable[int]: ...


@dataclass(slots=True)
class _Wish:
    """To look at a process."""

    group: str
    """Whose time it costs."""
    files: set[File] = field(default_factory=set)
    """That it has mapped and nobody has met."""
    born_ns: int = 0
    """When its program began, where that is to be made sure of."""


class Follower:
    """
    Looks at every process that is there, then at what it is told.  ``hear`` never waits; all else happens in a thread of its own, which may
    block on files.  Who has a loop of his own calls ``scan`` and ``turn`` and does not ``start``.
    """

    def __init__(
        self,
        targets: Watcher,
        mappings: Mappings | None,
        *,
        alive: Callable[[], Iterable[int]] = pids,
        whose: Callable[[int], str] = lambda pid: group_of(cgroup_path_of_pid(pid)),
    ) -> None:
        self._targets = targets
        self._mappings = mappings
        self._alive = alive
        self._whose = whose
        self._fairness = Fairness()
        self._news: queue.Queue[ProcessStarted | ProcessEnded] = queue.Queue(_MAX_NEWS)
        self._stopping = threading.Event()
        self._scanned = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="targets", daemon=True)
        self._told = threading.Event()
        self._missed = threading.Event()
        self._met: set[File] = set()
        self._waiting: dict[int, _Wish] = {}
        self._lost_mappings = 0
        now = time.monotonic()
        self._rescan_at = now
        self._reconcile_at = now + _RECONCILE_SECONDS
        self._reconciled_at = now - _MAKE_UP_SECONDS
        self._credit_seconds = _MAX_CREDIT_SECONDS

    def hear(self, news: ProcessStarted | ProcessEnded) -> None:
        """Never blocks."""
        try:
            self._news.put_nowait(news)
        except queue.Full:
            self._targets.lost_news += 1
            self._missed.set()
        self._told.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Who is in the middle of a large file is left behind, and the kernel's word with it."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=_FAREWELL_SECONDS)
        if self._mappings is not None and not self._thread.is_alive():
            self._mappings.close()

    @property
    def scanned(self) -> bool:
        """Whether every process that was there at the start has been looked at."""
        return self._scanned.is_set()

    @property
    def died(self) -> bool:
        """Whether it was started, and no longer follows."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def scan(self) -> None:
        """All processes that live now."""
        left = set(self._alive())
        for pid in sorted(left):
            while self._wish(pid) is None and not self._stopping.is_set():
                self._look_at_waiting()
        while left and not self._stopping.is_set():
            self._look_at_waiting()
            left &= self._waiting.keys()
            self._hear_mappings()
            self._hear_news()
            self._stopping.wait(_GATHER_SECONDS)
        self._scanned.set()
        for library in self._targets.status():
            slow, error = len(library.slow_sites), library.error or "none"
            _LOG.info("library", path=library.path, sites=library.sites, slow=slow, error=error)

    def turn(self) -> None:
        """Everything that is known by now; waits for nothing but files."""
        self._hear_mappings()
        self._hear_news()
        now = time.monotonic()
        if now >= self._rescan_at:
            for pid in self._targets.rescan(time.time_ns()):
                self._wish(pid)  # who finds no room stays due
            self._rescan_at = now + _RESCAN_SECONDS
        missed = self._missed.is_set()
        if now >= self._reconcile_at or (missed and now >= self._reconciled_at + _MAKE_UP_SECONDS):
            self._missed.clear()
            self._meet_cpus()
            for pid in self._targets.reconcile(self._alive()):
                self._wish_or_miss(pid)
            if missed:
                self._targets.look_at_all(time.time_ns())
            self._reconciled_at = now
            self._reconcile_at = now + _RECONCILE_SECONDS
        self._look_at_waiting()

    # ---------------------------------------------------------------------------------------------------------- helpers

    def _follow(self) -> None:
        self.scan()
        at, used = time.monotonic(), time.thread_time()
        while not self._stopping.is_set():
            self._wait()
            self.turn()
            # Since the last settlement, with the rest after it: a debt is paid once.
            before, used_before, at, used = at, used, time.monotonic(), time.thread_time()
            earned = min(_MAX_CREDIT_SECONDS, self._credit_seconds + _SHARE * (at - before))
            self._credit_seconds = earned - (used - used_before)
            self._rest(-self._credit_seconds / _SHARE)

    def _rest(self, seconds: float) -> None:
        """The debt is of those for whom much was read; others are looked at all the same."""
        until, pause = time.monotonic() + seconds, _ROUND_SECONDS
        while (left := until - time.monotonic()) > 0 and not self._stopping.wait(min(left, pause)):
            self._hear_mappings()
            self._hear_news()
            pause = _GATHER_SECONDS if self._look_at_waiting(light=True) else _ROUND_SECONDS

    def _wait(self) -> None:
        if self._mappings is None:
            if self._told.wait(_GATHER_SECONDS if self._waiting else _RESCAN_SECONDS):
                self._told.clear()
            return
        if not self._waiting and not self._mappings.wait(_RESCAN_SECONDS):
            return
        self._stopping.wait(_GATHER_SECONDS)

    def _meet_cpus(self) -> None:
        if self._mappings is None:
            return
        try:
            self._mappings.meet_cpus()
        except MappingsError:
            self._targets.lost_news += 1  # what is mapped on that CPU

    def _hear_mappings(self) -> None:
        if self._mappings is None:
            return
        now_ns = time.time_ns()
        for one in self._mappings.drain():
            self._hear_of(one, now_ns)
        if self._mappings.lost > self._lost_mappings:
            self._targets.lost_news += self._mappings.lost - self._lost_mappings
            self._lost_mappings = self._mappings.lost
            self._missed.set()

    def _look_at_waiting(self, *, light: bool = False) -> bool:
        """
        In fair order, until that may be another one; ``light``: only at those for whom little was read.

        Whether one of them is to be looked at again.
        """
        until, again = time.thread_time() + _ROUND_SECONDS, False
        for pid in self._fairness.order({pid: wish.group for pid, wish in self._waiting.items()}, time.monotonic()):
            if light and not self._fairness.is_light(self._waiting[pid].group, time.monotonic()):
                break
            again |= self._look_at(pid) is Look.LATER
            if time.thread_time() > until:
                break
        return again

    def _look_at(self, pid: int) -> Look:
        wish, before = self._waiting[pid], time.thread_time()
        look = self._targets.look(pid, time.time_ns(), wish.born_ns)
        self._fairness.spend(wish.group, time.thread_time() - before, time.monotonic())
        if look is Look.LATER:
            wish.group = self._whose(pid)  # a container's first process was in another one before
            return look
        del self._waiting[pid]
        if look is Look.DONE:
            if len(self._met) > _MAX_MET:
                self._met.clear()
            self._met |= wish.files
        return look

    def _wish(self, pid: int) -> _Wish | None:
        """To look at a process; None where there is no room for one more."""
        if pid not in self._waiting and len(self._waiting) < _MAX_WAITING:
            self._waiting[pid] = _Wish(self._whose(pid))
        return self._waiting.get(pid)

    def _wish_or_miss(self, pid: int) -> _Wish:
        wish = self._wish(pid)
        if wish is None:
            self._targets.lost_news += 1
            self._missed.set()
        return wish or _Wish("")

    def _hear_of(self, mapping: Mapping, now_ns: int) -> None:
        if mapping.file in self._met and mapping.pid not in self._waiting and self._targets.knows(mapping.pid, 0):
            self._targets.look_soon(mapping.pid, now_ns)
        elif len(files := self._wish_or_miss(mapping.pid).files) < _MAX_MET:
            files.add(mapping.file)

    def _hear_news(self) -> None:
        """Births and ends."""
        while not self._news.empty():
            news = self._news.get_nowait()
            if isinstance(news, ProcessEnded):
                self._waiting.pop(news.pid, None)
                self._targets.ended(news.pid)
            elif not self._targets.knows(news.pid, news.at_ns):
                self._wish_or_miss(news.pid).born_ns = news.at_ns
