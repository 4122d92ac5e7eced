"""
The command: one table for a pipe, or a picture that is drawn anew every two seconds until Ctrl-C.

An agent that goes away while one looks on is told below the last figures; it may come back.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live

from agent.top.figures import By, PageError, Pod, Rate, Snapshot, rates, read, restarted, total
from agent.top.scrape import DEFAULT_URL, Address, TopError, address, fetch
from agent.top.view import Key, Row, Sort, rows, screen

# Rates are those of the last minute: long enough for calm figures, short enough to see a loop run away.
_WINDOW_SECONDS = 60.0
_SHORTEST_SECONDS = 0.2
# Where standard output is no terminal: wide enough for every column and long pod names.
_PIPE_WIDTH = 160


class History:
    """The pages of the last minute: at most 300 snapshots, as they are 0.2 s apart or more."""

    def __init__(self) -> None:
        self._pages: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> Mapping[Key, Rate]:
        """The rates at ``snapshot``; empty with the first page, and with the first of an agent that began anew."""
        if self._pages and restarted(self._pages[-1], snapshot):
            self._pages.clear()
        self._pages.append(snapshot)
        # One page older than the window stays, so that the window is always full.
        while len(self._pages) > 2 and self._pages[1].at_seconds <= snapshot.at_seconds - _WINDOW_SECONDS:
            self._pages.popleft()
        return rates(self._pages[0], snapshot)


def top(
    *,
    url: str = DEFAULT_URL,
    once: bool = False,
    as_json: bool = False,
    sort: str = Sort.COST.value,
    namespace: str = "",
    by: str = By.POD.value,
    interval_seconds: float = 2.0,
) -> None:
    """Show it.  ``once``, or an output that is no terminal: one table, without rates, which need two moments."""
    where = address(url)
    try:
        order = Sort(sort)
    except ValueError:
        raise TopError(f"--sort {sort}: is none of {', '.join(Sort)}") from None
    try:
        about = By(by)
    except ValueError:
        raise TopError(f"--by {by}: is none of {', '.join(By)}") from None
    if not _SHORTEST_SECONDS <= interval_seconds <= 3600:
        raise TopError(f"--interval {interval_seconds}: must be from {_SHORTEST_SECONDS} to 3600 seconds")
    look = Look(where=where, by=about, namespace=namespace)
    first = look()
    if as_json:
        shown = rows(first, {}, sort=order)
        sys.stdout.write(document(first, shown, where.url, about) + "\n")
        return
    console = Console()
    if once or not console.is_terminal:
        console = console if console.is_terminal else Console(width=_PIPE_WIDTH)
        shown = rows(first, {}, sort=order)
        console.print(screen(first, shown, width=console.width, height=None, source=where.url, live=False, by=about))
        return
    try:
        _watch(look, first, console, lambda page, found: rows(page, found, sort=order), interval_seconds)
    except KeyboardInterrupt:
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the page, as often as it is called."""

    where: Address
    by: By
    namespace: str

    def __call__(self) -> Snapshot:
        page = fetch(self.where)
        try:
            return read(page, time.monotonic(), by=self.by, namespace=self.namespace)
        except PageError as error:
            raise TopError(f"{self.where.url}: {error}; podtab's page is at /metrics, port 9464") from None


def _watch(
    look: Look,
    page: Snapshot,
    console: Console,
    choose: Callable[[Snapshot, Mapping[Key, Rate]], list[Row]],
    interval_seconds: float,
) -> None:
    history = History()
    found = history.add(page)
    trouble = ""
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            picture = screen(
                page,
                choose(page, found),
                width=console.width,
                height=console.height,
                source=look.where.url,
                live=True,
                by=look.by,
                trouble=trouble,
            )
            live.update(picture, refresh=True)
            time.sleep(interval_seconds)
            try:
                page, trouble = look(), ""
                found = history.add(page)
            except TopError as error:
                silent = time.monotonic() - page.at_seconds
                trouble = f"these figures are {silent:.0f} s old: {error}"


def document(page: Snapshot, shown: Sequence[Row], url: str, by: By) -> str:
    """For machines: null is "not known"."""
    whole = total(row.pod for row in shown)
    return json.dumps(
        {
            "url": url,
            "total": fields(whole),
            "lost_bytes": page.lost_bytes,
            "api_server_reachable": page.api_server,
            f"{by.value}s": [{**identity(row.pod, by), **fields(row.pod)} for row in shown],
        }
    )


def identity(pod: Pod, by: By) -> dict[str, str]:
    """What a row is about; a team of "" is calls without one."""
    match by:
        case By.POD:
            return {"namespace": pod.namespace, "pod": pod.name, "workload": pod.workload}
        case By.WORKLOAD:
            return {"namespace": pod.namespace, "workload": pod.workload}
        case _:
            return {by.value: pod.name}


def fields(pod: Pod) -> dict[str, int | float | dict[str, int] | None]:
    p50 = pod.p50_seconds
    return {
        "calls": pod.calls,
        "errors": pod.errors,
        "input_tokens": pod.input_tokens if pod.tokens_known else None,
        "cached_tokens": pod.cached_tokens if pod.tokens_known else None,
        "output_tokens": pod.output_tokens if pod.tokens_known else None,
        "cost_usd": pod.cost_usd,
        "unpriced": pod.unpriced,
        # JSON has no infinity: beyond the last bucket nothing is known but that.
        "p50_seconds": None if p50 == float("inf") else p50,
        "evidence_reported_share": pod.evidence_share,
    }
