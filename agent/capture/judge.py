"""
Verdicts on files: what each one that a process executes is to capture; each file is read once, and no process costs more than its share.

They are read aside (``agent/capture/reading.py``): ``examine`` says what is found by then, and is asked again for the rest.
"""

from __future__ import annotations

import enum
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from agent.capture.coverage import Library
from agent.capture.debugfile import with_symbols
from agent.capture.elf import ElfError, ElfFile, OtherFormatError
from agent.capture.plan import Plan, Unreadable
from agent.capture.processes import FileId, Mapped, opened
from agent.capture.reading import MAX_SILENT, Reading, Readings, computing
from agent.host.containers import pod_of
from agent.logs import Log
from agent.model import Process

_LOG = Log("agent")

# Files without TLS functions are remembered, so that each is read once: a node's images have some thousands.
_MAX_REMEMBERED_FILES = 50_000
_UNSEEN = (-1, -1)
_GLANCE_SECONDS = 0.05
_NO_ROOM_SECONDS = 0.001
# A process of 200 files takes half a second, Envoy as long; one whose files are made to cost time gets no further.
MAX_SECONDS = 10.0


class Judged(enum.StrEnum):
    """What became of a file that a process executes, for the metric."""

    TLS = "tls"
    WITHOUT_TLS = "without_tls"
    OTHER_FORMAT = "other_format"
    DAMAGED = "damaged"
    NOT_OPENED = "not_opened"
    NOT_SEARCHED = "not_searched"
    """No TLS by its symbols, and too large to be searched without."""
    LEFT_OUT = "left_out"
    """Not looked at: its process executes more files than any that we know, or those before took too long to read."""


@dataclass(slots=True)
class Budget:
    """What reading a process's files may still cost, in seconds of a processor."""

    left_seconds: float = MAX_SECONDS


class _Examination:
    """Of the files of one process, by a reading."""

    def __init__(self) -> None:
        self.files: tuple[Mapped, ...] = ()
        """All that are to be judged, in this order; replaced, never changed."""
        self.found: dict[FileId, Library | None] = {}
        self.reading: Reading | None = None
        self.news = threading.Event()
        """A TLS library was found, or it is over."""
        self.over = False
        self.told = False

    def next(self, passed: Collection[FileId]) -> Mapped | None:
        return next((one for one in self.files if one.file not in self.found and one.file not in passed), None)


class Judge:
    """Remembers which files have nothing to do with TLS."""

    def __init__(self, planner: Callable[[ElfFile], Plan]) -> None:
        self._planner = planner
        self._without_tls: dict[FileId, tuple[int, int] | None] = {}
        self._lock = threading.Lock()
        self._being_read: dict[FileId, _Examination] = {}
        self._examinations: dict[int, _Examination] = {}
        self._readings = Readings()
        self.counts: Counter[Judged] = Counter()

    @property
    def silent(self) -> int:
        """How many pods' file systems do not answer."""
        return self._readings.silent

    def examine(
        self, pid: int, group: str, files: Iterable[Mapped], budget: Budget, patience_seconds: float | None
    ) -> Iterator[tuple[Mapped, Library | None]]:
        """
        What is found, as it comes, within some time; None: as long as the file system answers.

        Asked again with what the process maps then, it goes on.  ``group`` is who pays for it.
        """
        wanted = tuple(files)
        until = float("inf") if patience_seconds is None else time.monotonic() + patience_seconds
        given: set[FileId] = set()
        while rest := [one for one in wanted if one.file not in given]:
            examination = self._examinations.setdefault(pid, _Examination())
            examination.files = wanted
            if examination.reading is None:
                examination.reading = self._readings.begin(partial(self._work, examination, budget), group)
            over = examination.over
            if over:
                del self._examinations[pid]
            fresh = [one for one in rest if one.file in examination.found]
            for one in fresh:
                given.add(one.file)
                yield one, examination.found[one.file]
            if fresh and not over:
                continue
            if time.monotonic() >= until or not self._answers(group, rest):
                return
            if examination.reading is None or over:
                time.sleep(_NO_ROOM_SECONDS)  # another reading has to end first
            else:
                examination.news.wait(max(0.0, min(until - time.monotonic(), _GLANCE_SECONDS)))
                examination.news.clear()

    def silent_of(self, pid: int, group: str, files: Iterable[Mapped]) -> bool:
        """Whether these files of a process wait for a file system that does not answer."""
        if self._answers(group, files):
            return False
        examination = self._examinations.get(pid)
        if examination is not None and not examination.told:
            examination.told = True
            _LOG.warning("a file system does not answer: files of this process are not read", pid=pid, group=group)
        return True

    def forget(self, pid: int) -> None:
        """It has ended: what is being read is the last."""
        one = self._examinations.pop(pid, None)
        if one is not None:
            one.files = ()

    def count(self, judged: Judged, files: int = 1) -> None:
        with self._lock:
            self.counts[judged] += files

    def _answers(self, group: str, files: Iterable[Mapped]) -> bool:
        """Whether the file systems of these files do, as far as is known."""
        readers = [self._being_read.get(one.file) for one in files]
        return not (
            self._readings.is_silent(group)
            or self.silent >= MAX_SILENT
            or any(one is not None and one.reading is not None and one.reading.silent for one in readers)
        )

    def _work(self, examination: _Examination, budget: Budget) -> None:
        """In a thread of its own."""
        passed: set[FileId] = set()
        try:
            # What it maps may change meanwhile.
            while (mapped := examination.next(passed)) is not None:
                with self._lock:
                    first = self._being_read.setdefault(mapped.file, examination)
                if first is not examination:  # another pod's reading is at it
                    passed.add(mapped.file)
                    continue
                try:
                    examination.found[mapped.file] = library = self.look(mapped, budget)
                finally:
                    with self._lock:
                        del self._being_read[mapped.file]
                if library is not None:
                    examination.news.set()
        finally:
            examination.over = True
            examination.news.set()

    def look(self, mapped: Mapped, budget: Budget) -> Library | None:
        """None where nothing says that the file has to do with TLS."""
        stamp = mapped.stamp()
        if self._without_tls.get(mapped.file, _UNSEEN) == stamp:
            return None
        if budget.left_seconds <= 0:
            self.count(Judged.LEFT_OUT)
            return None
        before = time.thread_time()
        judged, library = self._read(mapped)
        budget.left_seconds -= time.thread_time() - before
        self.count(judged)
        # One that can't be opened may be by way of another process.
        if library is None and judged is not Judged.NOT_OPENED:
            if len(self._without_tls) >= _MAX_REMEMBERED_FILES:
                self._without_tls.clear()
            self._without_tls[mapped.file] = stamp
        return library

    def _read(self, mapped: Mapped) -> tuple[Judged, Library | None]:
        """No library where nothing says that it has to do with TLS."""
        try:
            with opened(mapped) as (file, _), with_symbols(mapped, ElfFile(file)) as elf, computing():
                plan = self._planner(elf)
        except OSError:
            unopened = Library(
                path=mapped.path, is_program=mapped.is_program, plan=Plan(sites=()), error="can't be opened"
            )
            return Judged.NOT_OPENED, unopened if mapped.named else None
        except OtherFormatError as error:
            # A 32-bit program's libssl is one; a script's text or a font, which can be mapped like code, is not.
            return Judged.OTHER_FORMAT, _unread(mapped, str(error)) if mapped.named else None
        except ElfError as error:
            return Judged.DAMAGED, _unread(mapped, f"damaged: {error}")
        if not (plan.sites or plan.missing or plan.unreadable):
            if plan.unsearched:
                return Judged.NOT_SEARCHED, None
            return Judged.WITHOUT_TLS, None
        return Judged.TLS, Library(path=mapped.path, is_program=mapped.is_program, plan=plan)


def who_pays(process: Process) -> str:
    """For the reading of its files: its pod, or what stands for it."""
    pod = pod_of(process.cgroup_path)
    return pod.pod_uid if pod is not None else process.cgroup_path.strip("/") or str(process.pid)


def _unread(mapped: Mapped, why: str) -> Library:
    told = Unreadable(
        stack="unknown",
        detail=f"what it executes is {why}",
        remedy="rebuild or reinstall the file, for 64 bits",
    )
    return Library(path=mapped.path, plan=Plan(sites=(), unreadable=(told,)))
