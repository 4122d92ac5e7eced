"""
``podtab doctor`` of the machine that a running agent is on, asked over HTTP.

It reads every process's libraries, so it is made once a minute at most, by one thread at a time; who asks meanwhile gets the last one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

KEPT_SECONDS = 60.0


class Doctor:
    """``examine`` gives the JSON of ``podtab doctor --json``."""

    def __init__(self, examine: Callable[[], str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._examine = examine
        self._clock = clock
        self._busy = threading.Lock()
        self._made: tuple[float, bytes] | None = None

    def answer(self) -> bytes | None:
        """None while the first one is being made for somebody else."""
        made = self._made
        if made is not None and self._clock() - made[0] < KEPT_SECONDS:
            return made[1]
        if not self._busy.acquire(blocking=False):
            return made[1] if made is not None else None
        try:
            text = self._examine().encode()
            self._made = (self._clock(), text)
            return text
        finally:
            self._busy.release()
