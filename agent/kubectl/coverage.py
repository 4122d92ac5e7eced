"""``kubectl podtab coverage``: which processes' calls can be read, how far, and what to do about the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from agent.kubectl.agents import Agent, ask
from agent.kubectl.client import Transport
from agent.kubectl.reading import Json, items, number, objects, text
from agent.kubectl.report import exit_code, show, summary, write_json
from agent.model import CoverageReason
from agent.top.text import short


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    node: str
    pod: Json
    process: Json


def coverage(api: Transport, agents: Sequence[Agent], *, namespace: str, as_json: bool) -> int:
    """Print it; returns the exit code.  ``namespace`` "" means all, and the host's own processes."""
    answers = ask(api, agents, "/api/v1/coverage", {}, accept="application/json", read=lambda body: items(body, "pods"))
    pods = [
        (agent.node, pod)
        for agent, found in answers.given
        for pod in found
        if not namespace or text(pod, "namespace") == namespace
    ]
    if as_json:
        write_json({"pods": [{"node": node, **pod} for node, pod in pods], **summary(answers)})
        return exit_code(answers)
    rows = [Covered(node=node, pod=pod, process=one) for node, pod in pods for one in objects(pod.get("processes"))]
    readable = sum(text(row.process, "reason") == CoverageReason.READABLE for row in rows)
    if not rows:
        show([Text("No process that uses TLS is known here: nothing can be missed, and nothing is seen.")], answers)
        return exit_code(answers)
    processes = "1 process" if len(rows) == 1 else f"{len(rows)} processes"
    show([Text(f" {readable} of {processes} with TLS readable", style="bold"), _table(rows)], answers)
    return exit_code(answers)


def _table(rows: Sequence[Covered]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("pod", "workload", "node", "process", "state", "what to do"):
        table.add_column(name, overflow="fold")
    # Those that something can be done about come first.
    for row in sorted(rows, key=lambda row: text(row.process, "reason") == CoverageReason.READABLE):
        pod, process = row.pod, row.process
        reason = text(process, "reason")
        pid = number(process, "pid")
        said = Text(text(process, "detail") or text(process, "library"))
        if text(process, "remedy"):
            said.append(f"{' ' if said else ''}→ {text(process, 'remedy')}")
        table.add_row(
            Text(f"{text(pod, 'namespace')}/{text(pod, 'pod')}".strip("/") or "–"),
            Text(short(f"{text(pod, 'workload_kind')}/{text(pod, 'workload')}")),
            Text(row.node),
            Text(f"{text(process, 'name')} ({pid:.0f})" if pid is not None else text(process, "name")),
            Text(reason, style="green" if reason == CoverageReason.READABLE else "yellow"),
            said,
        )
    return table
