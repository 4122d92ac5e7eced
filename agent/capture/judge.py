"""Verdicts on files: what each one that a process executes is to capture; each file is read once, and no process costs more than its share."""

from __future__ import annotations

import enum
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from agent.capture.coverage import Library
from agent.capture.debugfile import with_symbols
from agent.capture.elf import ElfError, ElfFile, OtherFormatError, TooDearError
from agent.capture.plan import Plan, Unreadable
from agent.capture.processes import FileId, Mapped, opened

# Files without TLS functions are remembered, so that each is read once: a node's images have some thousands.
_MAX_REMEMBERED_FILES = 50_000
_UNSEEN = (-1, -1)
# A process of 200 files takes half a second, Envoy as long; one whose files are made to cost time gets no further.
MAX_SECONDS = 10.0


class Judged(enum.StrEnum):
    """What became of a file that a process executes, for the metric."""

    TLS = "tls"
    WITHOUT_TLS = "without_tls"
    OTHER_FORMAT = "other_format"
    DAMAGED = "damaged"
    TOO_DEAR = "too_dear"
    """Given up: reading it takes longer than any real file."""
    NOT_OPENED = "not_opened"
    NOT_SEARCHED = "not_searched"
    """No TLS by its symbols, and too large to be searched without."""
    LEFT_OUT = "left_out"
    """Not looked at: its process executes more files than any that we know, or those before took too long to read."""


@dataclass(slots=True)
class Budget:
    """What reading a process's files may still cost, in seconds of a processor."""

    left_seconds: float = MAX_SECONDS


class Judge:
    """Remembers which files have nothing to do with TLS."""

    def __init__(self, planner: Callable[[ElfFile], Plan]) -> None:
        self._planner = planner
        self._without_tls: dict[FileId, tuple[int, int] | None] = {}
        self.counts: Counter[Judged] = Counter()

    def look(self, mapped: Mapped, budget: Budget) -> Library | None:
        """None where nothing says that the file has to do with TLS."""
        stamp = mapped.stamp()
        if self._without_tls.get(mapped.file, _UNSEEN) == stamp:
            return None
        if budget.left_seconds <= 0:
            self.counts[Judged.LEFT_OUT] += 1
            return None
        before = time.thread_time()
        judged, library = self._read(mapped)
        budget.left_seconds -= time.thread_time() - before
        self.counts[judged] += 1
        # One that can't be opened may be by way of another process.
        if library is None and judged is not Judged.NOT_OPENED:
            if len(self._without_tls) >= _MAX_REMEMBERED_FILES:
                self._without_tls.clear()
            self._without_tls[mapped.file] = stamp
        return library

    def _read(self, mapped: Mapped) -> tuple[Judged, Library | None]:
        """No library where nothing says that it has to do with TLS."""
        try:
            with opened(mapped) as (file, _), with_symbols(mapped, ElfFile(file)) as elf:
                plan = self._planner(elf)
        except OSError:
            unopened = Library(
                path=mapped.path, is_program=mapped.is_program, plan=Plan(sites=()), error="can't be opened"
            )
            return Judged.NOT_OPENED, unopened if mapped.named else None
        except OtherFormatError as error:
            # A 32-bit program's libssl is one; a script's text or a font, which can be mapped like code, is not.
            return Judged.OTHER_FORMAT, _unread(mapped, str(error)) if mapped.named else None
        except TooDearError:
            return Judged.TOO_DEAR, _unread(
                mapped, "made to cost time, or larger than any that we know", "use another build of it"
            )
        except ElfError as error:
            return Judged.DAMAGED, _unread(mapped, f"damaged: {error}")
        if not (plan.sites or plan.missing or plan.unreadable):
            if plan.unsearched:
                return Judged.NOT_SEARCHED, None
            return Judged.WITHOUT_TLS, None
        return Judged.TLS, Library(path=mapped.path, is_program=mapped.is_program, plan=plan)


def _unread(mapped: Mapped, why: str, remedy: str = "rebuild or reinstall the file, for 64 bits") -> Library:
    told = Unreadable(
        stack="unknown",
        detail=f"what it executes is {why}",
        remedy=remedy,
    )
    return Library(path=mapped.path, plan=Plan(sites=(), unreadable=(told,)))
