"""
Tenants' files are read in threads aside: who waits for a file, or has one made to cost time, makes no other pod wait.

A file system can be slow, or somebody's own (FUSE), or gone (NFS), and then a read does not come back.  Each pod has one reading at a time, so
that this costs itself alone.  What they compute they compute in turns, each from one read to the next, and together they get a share
of one processor.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

# Of one processor: the rest of the agent drains the ring buffer meanwhile.
_SHARE = 0.4
# A node that starts with a hundred images reads for half a minute.
_MAX_CREDIT_SECONDS = 20.0
# At once.  What one holds of a file is bounded, some ten megabytes as a rule.
_MAX_ACTIVE = 4
# Those that wait for a file system that does not answer; beyond it nothing is read any more, and readiness says so.
MAX_SILENT = 16
# The largest single read is 64 MB: a second from a slow disk.
SILENT_AFTER_SECONDS = 10.0

_here = threading.local()


class Turns:
    """Whose turn it is to compute, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False
        self._began_seconds = 0.0
        self._credit_seconds = _MAX_CREDIT_SECONDS
        self._earned_until = time.monotonic()

    def take(self) -> None:
        mine = threading.Event()
        with self._lock:
            if self._taken:
                self._waiting.append(mine)
            else:
                self._taken = True
                mine.set()
        mine.wait()
        now = time.monotonic()
        self._credit_seconds = min(_MAX_CREDIT_SECONDS, self._credit_seconds + _SHARE * (now - self._earned_until))
        self._earned_until = now
        if self._credit_seconds < 0:
            time.sleep(-self._credit_seconds / _SHARE)
        self._began_seconds = time.thread_time()

    def give(self) -> None:
        self._credit_seconds -= time.thread_time() - self._began_seconds
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """In turn with other readings; elsewhere than in a reading this is nothing."""
    reading: Reading | None = getattr(_here, "reading", None)
    if reading is None:
        yield
        return
    reading.waits_since = None
    reading.turns.take()
    try:
        yield
    finally:
        reading.turns.give()
        reading.waits_since = time.monotonic()


@contextlib.contextmanager
def waiting() -> Iterator[None]:
    """Inside ``computing``: for a file, which may never come."""
    reading: Reading | None = getattr(_here, "reading", None)
    if reading is None or reading.waits_since is not None:
        yield
        return
    reading.turns.give()
    reading.waits_since = time.monotonic()
    try:
        yield
    finally:
        reading.waits_since = None
        reading.turns.take()


class Reading(threading.Thread):
    """One under way, of one pod."""

    def __init__(self, work: Callable[[], None], group: str, turns: Turns) -> None:
        super().__init__(name="reading", daemon=True)
        self._work = work
        self.group = group
        self.turns = turns
        self.over = threading.Event()
        self.waits_since: float | None = time.monotonic()
        """Set while it waits for a file system."""

    def run(self) -> None:
        _here.reading = self
        try:
            self._work()
        finally:
            self.over.set()

    @property
    def silent(self) -> bool:
        """Whether its file system does not answer."""
        since = self.waits_since
        return not self.over.is_set() and since is not None and time.monotonic() - since > SILENT_AFTER_SECONDS


class Readings:
    """Those under way.  Used from one thread."""

    def __init__(self) -> None:
        self._turns = Turns()
        self._under_way: list[Reading] = []

    def begin(self, work: Callable[[], None], group: str) -> Reading | None:
        """None where there is no room: another one of this pod is under way, or as many as may be."""
        self._under_way = [one for one in self._under_way if not one.over.is_set()]
        silent = self.silent
        if (
            silent >= MAX_SILENT
            or len(self._under_way) - silent >= _MAX_ACTIVE
            or any(one.group == group for one in self._under_way)
        ):
            return None
        reading = Reading(work, group, self._turns)
        self._under_way.append(reading)
        reading.start()
        return reading

    @property
    def silent(self) -> int:
        """How many wait for file systems that do not answer."""
        return sum(one.silent for one in self._under_way)

    def is_silent(self, group: str) -> bool:
        """Whether this pod's waits so."""
        return any(one.silent for one in self._under_way if one.group == group)
