"""
Files that are read themselves, searched for stacks that nobody can read: Envoy brings QUIC along, a Rust program OpenSSL and rustls.

Only once their probes are in place, and in small steps: the first calls of their processes wait for nobody, and neither do other processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

from agent.capture.coverage import Library
from agent.capture.elf import ElfError, ElfFile
from agent.capture.plan import Unreadable
from agent.capture.processes import FileId, Mapped, opened

Search = Callable[[ElfFile], Iterator[Unreadable | None]]
"""What a file has that nobody can read; None between steps."""

# A program is busy with itself when it starts, and so are we with it.
AFTER_NS = 2 * 10**9
# Of a processor, ten times a second: Envoy's 100 MB are done after two seconds.
_STEP_SECONDS = 0.01
# A single step of a file that is made to cost time gets no further; of real ones the longest took 0.06.
_MAX_STEP_SECONDS = 1.0


@dataclass(slots=True)
class _Wish:
    library: Library
    mapped: Mapped
    due_ns: int = 0


class Further:
    """One file after the other.  As many wait as have probes, which the kernel side bounds."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._wishes: dict[FileId, _Wish] = {}
        self._under_way: Generator[None, None, bool] | None = None

    def wish(self, library: Library, mapped: Mapped) -> None:
        """Of a library with probes that was not searched; ``mapped`` is how it can be opened now."""
        if mapped.file not in self._wishes:
            self._wishes[mapped.file] = _Wish(library, mapped)
        self._wishes[mapped.file].mapped = mapped

    def step(self, at_ns: int) -> Library | None:
        """Go on a little; a library of which more is known now."""
        for one in self._wishes.values():
            one.due_ns = one.due_ns or at_ns + AFTER_NS
        wish = next(iter(self._wishes.values()), None)
        if wish is None or at_ns < wish.due_ns:
            return None
        self._under_way = self._under_way or _searched(wish, self._search)
        until = time.thread_time() + _STEP_SECONDS
        try:
            next(self._under_way)
            while time.thread_time() < until:
                next(self._under_way)
        except StopIteration as end:
            self._under_way = None
            del self._wishes[wish.mapped.file]
            return wish.library if end.value else None
        return None


def _searched(wish: _Wish, search: Search) -> Generator[None, None, bool]:
    """Whether something was found.  What can't be opened any more may be by way of the next process that maps it, who wishes again."""
    found: list[Unreadable] = []
    try:
        with opened(wish.mapped) as (file, _):
            elf = ElfFile(file, _MAX_STEP_SECONDS)
            for one in search(elf):
                found += [] if one is None else [one]
                yield
                elf.begin()
    except OSError:
        return False
    except ElfError as error:
        wish.library.remark = f"could not be searched for other stacks: {error}"
    wish.library.searched = True
    if found:
        plan = wish.library.plan
        wish.library.plan = replace(plan, unreadable=(*plan.unreadable, *found))
    return bool(found)
