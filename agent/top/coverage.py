"""``podtab coverage``: which processes' calls can be read, how far, and what to do about the others; the table is also kubectl's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.model import CoverageReason, Joined
from agent.top.reading import Json, items, number, objects, text
from agent.top.scrape import DEFAULT_URL, TopError, address, beside, fetch
from agent.top.text import short

PATH = "/api/v1/coverage"
UNREADABLE = 1
"""Exit code of ``--strict``."""
# Where standard output is no terminal: wide enough for a path and a remedy.
_PIPE_WIDTH = 200
# Below it columns would fold names letter by letter.
_TABLE_WIDTH = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One process, as an agent tells of it."""

    node: str = ""
    """"" where only one machine is spoken of."""
    pod: Json
    process: Json

    @property
    def reason(self) -> str:
        return text(self.process, "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """TLS connections of a pod to one provider, as packets told of them."""

    node: str = ""
    pod: Json
    counts: Json

    def of(self, *outcomes: str) -> int:
        return sum(round(number(self.counts, outcome) or 0) for outcome in outcomes)

    @property
    def settled(self) -> int:
        return self.of(Joined.READ, Joined.NOT_READ, Joined.UNKNOWN)

    @property
    def read(self) -> int:
        return self.of(Joined.READ, Joined.READ_LATE)


def coverage(*, url: str = DEFAULT_URL, namespace: str = "", as_json: bool = False, strict: bool = False) -> int:
    """
    Print it; returns the exit code: with ``strict`` 1 where a process can't be decrypted.

    ``namespace`` "" means all, and the host's own processes.  Raises TopError where no agent answers.
    """
    where = beside(address(url), PATH)
    hint = "podtab serves it at port 9464, unless its page is turned off (page.enabled)"
    page = fetch(where, accept="application/json", hint=hint)
    try:
        found = items(page.encode(), "pods")
    except ValueError as error:
        raise TopError(f"{where.url}: its answer can't be read: {error}; {hint}") from None
    pods = [pod for pod in found if not namespace or text(pod, "namespace") == namespace]
    told, opened = rows(("", pod) for pod in pods), connections(("", pod) for pod in pods)
    if as_json:
        # ASCII only, so that no name can move the cursor of a terminal.
        sys.stdout.write(json.dumps({"url": where.url, "pods": pods}) + "\n")
    else:
        console = Console(highlight=False)
        console = console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)
        for part in drawn(told, opened):
            console.print(part)
    return UNREADABLE if strict and any(row.reason == CoverageReason.CANNOT_DECRYPT for row in told) else 0


def rows(pods: Iterable[tuple[str, Json]]) -> list[Covered]:
    """The processes of pods, each named with its node."""
    return [Covered(node=node, pod=pod, process=one) for node, pod in pods for one in objects(pod.get("processes"))]


def connections(pods: Iterable[tuple[str, Json]]) -> list[Opened]:
    """Those of pods; none from an agent that does not tell of them."""
    return [
        Opened(node=node, pod=pod, counts=one)
        for node, pod in pods
        if "connections" in pod
        for one in objects(pod["connections"])
    ]


def drawn(told: Sequence[Covered], opened: Sequence[Opened]) -> list[RenderableType]:
    """A headline and a table; then how many connections were read, and a line of each pod and provider where some were not."""
    parts: list[RenderableType] = []
    if told:
        readable = sum(row.reason == CoverageReason.READABLE for row in told)
        processes = "1 process" if len(told) == 1 else f"{len(told):,} processes"
        parts += [Text(f" {readable:,} of {processes} with TLS readable", style="bold"), _Body(told)]
    elif not opened:
        parts.append(Text("No process that uses TLS is known here: nothing can be missed, and nothing is seen."))
    if settled := sum(row.settled for row in opened):
        read = sum(row.read for row in opened)
        parts.append(Text(f" {read:,} of {settled:,} TLS connections to model APIs read", style="bold"))
    return parts + [_missed(row) for row in opened if row.read < row.settled or row.of(Joined.UNTOLD)]


def _missed(row: Opened) -> RenderableType:
    unknown = min(row.of(Joined.UNKNOWN), row.settled - row.read)
    others = {
        "not read": row.settled - row.read - unknown,
        "may have been read": unknown,
        "too many a second to look where they went": row.of(Joined.UNTOLD),
    }
    said = ", ".join(f"{many:,} {what}" for what, many in others.items() if many)
    where = f"{row.node}: " if row.node else ""
    told = f"{where}{_pod(row)}  {text(row.counts, 'provider')}: {row.read:,} of {row.settled:,} read; "
    return Padding(Text.assemble(told, (said, "yellow")), (0, 1, 0, 3))


class _Body:
    """A table where there is room for seven columns; else a line a process, with what to do below it."""

    def __init__(self, told: Sequence[Covered]) -> None:
        # Those that something can be done about come first.
        self._told = sorted(told, key=lambda row: row.reason == CoverageReason.READABLE)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width >= _TABLE_WIDTH:
            yield _table(self._told)
            return
        yield Text("")
        for row in self._told:
            where = f"{row.node}: " if row.node else ""
            yield Text.assemble(f" {where}{_pod(row)}  {_process(row)}  ", _state(row))
            below = [part for part in (text(row.process, "library"), _said(row).plain) if part]
            if below:
                yield Padding(Text("\n".join(below), style="dim"), (0, 1, 0, 3))


def _table(told: Sequence[Covered]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    nodes = any(row.node for row in told)
    for name in ("pod", "workload", *(("node",) if nodes else ()), "process", "state", "library", "what to do"):
        table.add_column(name, overflow="fold")
    for row in told:
        pod = row.pod
        table.add_row(
            Text(_pod(row)),
            Text(short(f"{text(pod, 'workload_kind')}/{text(pod, 'workload')}")),
            *((Text(row.node),) if nodes else ()),
            Text(_process(row)),
            _state(row),
            Text(text(row.process, "library") or "–"),
            _said(row),
        )
    return table


def _pod(row: Covered | Opened) -> str:
    return f"{text(row.pod, 'namespace')}/{text(row.pod, 'pod')}".strip("/") or "–"


def _process(row: Covered) -> str:
    name, pid = text(row.process, "name"), number(row.process, "pid")
    return name if pid is None else f"{name} ({pid:.0f})"


def _state(row: Covered) -> Text:
    return Text(row.reason, style="green" if row.reason == CoverageReason.READABLE else "yellow")


def _said(row: Covered) -> Text:
    said = Text(text(row.process, "detail"))
    if text(row.process, "remedy"):
        said.append(f"{' ' if said else ''}→ {text(row.process, 'remedy')}")
    return said
