"""
A bounded queue with a thread behind it: whoever puts something in never waits, and what does not fit is counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from agent.logs import Log

T = TypeVar("T")

_LOG = Log("otlp")


class Outbox(Generic[T]):
    """
    ``deliver`` is called on a thread of its own with up to ``max_batch`` items, when so many wait or ``linger_seconds`` have passed;
    then also with none, so that it can keep time.  It must not raise: if it does, the items are counted as lost and it is told.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[list[T]], None],
        *,
        max_items: int,
        max_batch: int,
        linger_seconds: float,
        lost: Callable[[str, int], None],
    ) -> None:
        self._deliver = deliver
        self._max_items = max_items
        self._max_batch = max_batch
        self._linger_seconds = linger_seconds
        self._lost = lost
        self._items: deque[T] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._told = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, item: T) -> bool:
        """False: it was full, or is closed."""
        with self._wake:
            if self._closing or len(self._items) >= self._max_items:
                refused = "shutdown" if self._closing else "queue_full"
            else:
                self._items.append(item)
                if len(self._items) >= self._max_batch:
                    self._wake.notify()
                return True
        self._lost(refused, 1)
        return False

    @property
    def waiting(self) -> int:
        return len(self._items)

    def close(self, timeout_seconds: float) -> bool:
        """Deliver what waits, for so long; what is left then is counted as lost.  False: the thread did not end in time."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        with self._wake:
            left = len(self._items)
            self._items.clear()
        if left:
            self._lost("shutdown", left)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            batch, last = self._next()
            try:
                self._deliver(batch)
            except Exception as error:  # noqa: BLE001 - a bug here must not end the export for good
                self._lost("bug", len(batch))
                if not self._told:
                    self._told = True
                    _LOG.error("export failed unexpectedly", thread=self._thread.name, exception=type(error).__name__)
            if last:
                return

    def _next(self) -> tuple[list[T], bool]:
        deadline = time.monotonic() + self._linger_seconds
        with self._wake:
            while len(self._items) < self._max_batch and not self._closing:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._wake.wait(left)
            batch = [self._items.popleft() for _ in range(min(len(self._items), self._max_batch))]
            return batch, self._closing and not self._items
