"""Process news → targets, on a thread of its own: it may block on files, and the ring must not wait for that."""

from __future__ import annotations

import queue
import threading
import time

from agent.capture.processes import pids
from agent.capture.ring import ProcessEnded, ProcessStarted
from agent.capture.targets import Targets
from agent.logs import Log

_LOG = Log("agent")
_RESCAN_SECONDS = 0.1
_RECONCILE_SECONDS = 30.0
# Process news that waits to be looked at; beyond it the next reconciliation finds what was missed.
_MAX_NEWS = 65_536


class Follower:
    """Looks at every process that is there, then at what ``hear`` is told, and now and then at everything again."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._news: queue.Queue[ProcessStarted | ProcessEnded] = queue.Queue(_MAX_NEWS)
        self._missed_news = threading.Event()
        self._stopping = threading.Event()
        self._scanned = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="targets", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hear(self, news: ProcessStarted | ProcessEnded) -> None:
        """Never waits: what finds no room is counted, and found by looking at everything."""
        try:
            self._news.put_nowait(news)
        except queue.Full:
            self._targets.lost_news += 1
            self._missed_news.set()

    def stop(self) -> None:
        self._stopping.set()

    @property
    def scanned(self) -> bool:
        """Whether every process that was there at the start has been looked at."""
        return self._scanned.is_set()

    @property
    def died(self) -> bool:
        """Whether it was started, and no longer follows."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def _follow(self) -> None:
        for pid in pids():
            self._targets.started(pid, time.time_ns())
        self._scanned.set()
        for library in self._targets.status():
            slow, error = len(library.slow_sites), library.error or "none"
            _LOG.info("library", path=library.path, sites=library.sites, slow=slow, error=error)
        reconcile = time.monotonic() + _RECONCILE_SECONDS
        while not self._stopping.is_set():
            self._take_news()
            self._targets.rescan(time.time_ns())
            if time.monotonic() >= reconcile or self._missed_news.is_set():
                self._missed_news.clear()
                self._targets.reconcile(pids(), time.time_ns())
                reconcile = time.monotonic() + _RECONCILE_SECONDS

    def _take_news(self) -> None:
        """What happened to processes; waits a little for it."""
        try:
            news: ProcessStarted | ProcessEnded | None = self._news.get(timeout=_RESCAN_SECONDS)
        except queue.Empty:
            return
        while news is not None:
            if isinstance(news, ProcessStarted):
                self._targets.started(news.pid, time.time_ns())
            else:
                self._targets.ended(news.pid)
            news = None if self._news.empty() else self._news.get_nowait()
