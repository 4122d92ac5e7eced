"""``podtab coverage``: which processes' calls can be read, how far, and what to do about the others; the table is also kubectl's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from agent.model import CoverageReason
from agent.top.reading import Json, items, number, objects, text
from agent.top.scrape import DEFAULT_URL, TopError, address, beside, fetch
from agent.top.text import short

PATH = "/api/v1/coverage"
UNREADABLE = 1
"""Exit code of ``--strict``."""
# Where standard output is no terminal: wide enough for a path and a remedy.
_PIPE_WIDTH = 200


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
    told = rows(("", pod) for pod in pods)
    if as_json:
        # ASCII only, so that no name can move the cursor of a terminal.
        sys.stdout.write(json.dumps({"url": where.url, "pods": pods}) + "\n")
    else:
        console = Console(highlight=False)
        console = console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)
        for part in drawn(told):
            console.print(part)
    return UNREADABLE if strict and any(row.reason == CoverageReason.CANNOT_DECRYPT for row in told) else 0


def rows(pods: Iterable[tuple[str, Json]]) -> list[Covered]:
    """The processes of pods, each named with its node."""
    return [Covered(node=node, pod=pod, process=one) for node, pod in pods for one in objects(pod.get("processes"))]


def drawn(told: Sequence[Covered]) -> list[RenderableType]:
    """A headline and a table."""
    if not told:
        return [Text("No process that uses TLS is known here: nothing can be missed, and nothing is seen.")]
    readable = sum(row.reason == CoverageReason.READABLE for row in told)
    processes = "1 process" if len(told) == 1 else f"{len(told):,} processes"
    return [Text(f" {readable:,} of {processes} with TLS readable", style="bold"), _table(told)]


def _table(told: Sequence[Covered]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    nodes = any(row.node for row in told)
    for name in ("pod", "workload", *(("node",) if nodes else ()), "process", "state", "library", "what to do"):
        table.add_column(name, overflow="fold")
    # Those that something can be done about come first.
    for row in sorted(told, key=lambda row: row.reason == CoverageReason.READABLE):
        pod, process = row.pod, row.process
        pid = number(process, "pid")
        said = Text(text(process, "detail"))
        if text(process, "remedy"):
            said.append(f"{' ' if said else ''}→ {text(process, 'remedy')}")
        table.add_row(
            Text(f"{text(pod, 'namespace')}/{text(pod, 'pod')}".strip("/") or "–"),
            Text(short(f"{text(pod, 'workload_kind')}/{text(pod, 'workload')}")),
            *((Text(row.node),) if nodes else ()),
            Text(f"{text(process, 'name')} ({pid:.0f})" if pid is not None else text(process, "name")),
            Text(row.reason, style="green" if row.reason == CoverageReason.READABLE else "yellow"),
            Text(text(process, "library") or "–"),
            said,
        )
    return table
