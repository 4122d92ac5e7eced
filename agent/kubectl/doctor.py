"""``kubectl podtab doctor``: what each node's agent says that capture lacks there; nodes that say the same share a line."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from agent.kubectl.agents import Agent, ask
from agent.kubectl.client import Transport
from agent.kubectl.report import exit_code, show, sources, summary, write_json
from agent.top.reading import Json, items, text

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_NAMED = 5


def doctor(api: Transport, agents: Sequence[Agent], *, as_json: bool) -> int:
    """Print it.  Exit code 1: a node can't capture; else as everywhere."""
    answers = ask(api, agents, "/api/v1/doctor", {}, accept="application/json", read=lambda body: items(body, "checks"))
    failed = any(text(check, "grade") == "fail" for _, checks in answers.given for check in checks)
    if as_json:
        nodes = [{"node": agent.node, "checks": checks} for agent, checks in answers.given]
        write_json({"ok": not failed and not answers.silent, "nodes": nodes, **summary(answers)})
    else:
        head = Text(f" {sources(answers)} examined", style="bold")
        show([head, *([_table(answers.given)] if answers.given else [])], answers)
    return 1 if failed else exit_code(answers)


def _table(given: Sequence[tuple[Agent, Sequence[Json]]]) -> Table:
    same: dict[tuple[str, str, str, str, str], list[str]] = {}
    for agent, checks in given:
        for check in checks:
            key = tuple(text(check, name) for name in ("name", "grade", "found", "meaning", "remedy"))
            same.setdefault((key[0], key[1], key[2], key[3], key[4]), []).append(agent.node)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("check", "", "nodes", "found, what it means, what to do"):
        table.add_column(name, overflow="fold")
    order = {"fail": 0, "warn": 1}
    for (name, grade, found, meaning, remedy), nodes in sorted(same.items(), key=lambda one: order.get(one[0][1], 2)):
        said = Text(found)
        if meaning:
            said.append(f"\n{meaning}", style="dim" if grade == "ok" else "")
        if remedy:
            said.append(f"\n→ {remedy}", style="bold")
        who = "all" if len(nodes) == len(given) > 1 else ", ".join(nodes[:_NAMED])
        more = f" and {len(nodes) - _NAMED} more" if who != "all" and len(nodes) > _NAMED else ""
        table.add_row(Text(name), Text(grade, style=_STYLES.get(grade, "")), Text(who + more), said)
    return table
