"""``kubectl podtab calls POD``: its last calls, newest first, or with ``-w`` as they come."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from agent.kubectl.agents import Agent, Answers, Silent, ask
from agent.kubectl.client import KubectlError, Transport
from agent.kubectl.report import console, exit_code, missing, show, summary, write_json
from agent.top.reading import Json, items, number, objects, text
from agent.top.text import number as count_text
from agent.top.text import plain, seconds, usd

_MAX_LIMIT = 1000
_EVERY_SECONDS = 2.0
_OUTPUT = frozenset({"output", "reasoning", "output_audio", "output_image"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One call."""

    at: str
    fields: Json
    """As the agent said it."""


def fetch(
    api: Transport, agents: Sequence[Agent], *, pod: str, namespace: str, limit: int
) -> tuple[list[Line], Answers[list[Line]]]:
    """Of all nodes: a pod's name may have moved, as a StatefulSet's does."""
    query = {"pod": pod, "limit": str(limit)} | ({"namespace": namespace} if namespace else {})
    answers = ask(api, agents, "/api/v1/calls", query, accept="application/json", read=_lines)
    found = [line for _, lines in answers.given for line in lines]
    return sorted(found, key=lambda line: line.at, reverse=True)[:limit], answers


def calls(
    api: Transport, agents: Sequence[Agent], *, pod: str, namespace: str, limit: int, watch: bool, as_json: bool
) -> int:
    """Print them; returns the exit code."""
    if not 1 <= limit <= _MAX_LIMIT:
        raise KubectlError(f"--limit {limit}: must be from 1 to {_MAX_LIMIT}, which is what an agent remembers")
    lines, answers = fetch(api, agents, pod=pod, namespace=namespace, limit=limit)
    if watch:
        return _watch(api, agents, lines, answers, pod=pod, namespace=namespace, as_json=as_json)
    if as_json:
        write_json({"calls": [dict(line.fields) for line in lines], **summary(answers)})
    elif lines:
        show([_table(lines)], answers)
    else:
        where = f"in namespace {plain(namespace)}" if namespace else "in any namespace"
        show(
            [f"No calls of pod {plain(pod)} {where} are remembered; an agent keeps its node's last {_MAX_LIMIT}."],
            answers,
        )
    return exit_code(answers)


def _watch(
    api: Transport,
    agents: Sequence[Agent],
    lines: list[Line],
    answers: Answers[list[Line]],
    *,
    pod: str,
    namespace: str,
    as_json: bool,
) -> int:
    """Oldest first, until Ctrl-C.  One object or one line a call."""
    seen: set[str] = set()
    told: Sequence[Silent] = ()
    out = console()
    try:
        while True:
            fresh = [line for line in reversed(lines) if repr(line.fields) not in seen]
            for line in fresh:
                if as_json:
                    write_json(dict(line.fields))
                else:
                    out.print(Text("  ".join(cell.plain for cell in _cells(line))), soft_wrap=True)
            seen = {repr(line.fields) for line in lines}
            if answers.silent != told and not as_json:
                for said in missing(answers):
                    out.print(Text(said, style="yellow"), soft_wrap=True)
            told = answers.silent
            time.sleep(_EVERY_SECONDS)
            lines, answers = fetch(api, agents, pod=pod, namespace=namespace, limit=_MAX_LIMIT)
    except KeyboardInterrupt:
        return exit_code(answers)


def _lines(body: bytes) -> list[Line]:
    return [Line(at=text(item, "at"), fields=item) for item in items(body, "calls")]


def _table(lines: Sequence[Line]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("at", "container", "model", "operation", "status"):
        table.add_column(name, overflow="fold")
    for name in ("in", "cached", "out", "first token", "took", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("evidence", no_wrap=True)
    for line in lines:
        table.add_row(*_cells(line))
    return table


def _cells(line: Line) -> list[Text]:
    call = line.fields
    tokens = objects([call.get("tokens")])
    counts = {plain(kind): count for kind, count in (tokens[0] if tokens else {}).items() if isinstance(count, int)}
    cached = counts.pop("cache_read", 0)
    out = sum(count for kind, count in counts.items() if kind in _OUTPUT)
    cost = number(call, "cost_usd")
    unpriced = text(call, "unpriced")
    money = (
        usd(cost)
        if cost is not None
        else "$0"
        if unpriced in ("not_billed", "via_gateway")
        else f"unpriced: {unpriced}"
    )
    outcome, status = text(call, "outcome"), number(call, "status")
    state = f"{status:.0f} {outcome}" if status else outcome
    first = number(call, "time_to_first_token_seconds")
    return [
        Text(line.at),
        Text(text(call, "container")),
        Text(f"{text(call, 'provider')}/{text(call, 'served_model') or text(call, 'requested_model')}"),
        Text(text(call, "operation")),
        Text(state, style="" if outcome == "ok" else "red"),
        Text(count_text(sum(counts.values()) - out)),
        Text(count_text(cached)),
        Text(count_text(out)),
        Text("–" if first is None else seconds(first)),
        Text(seconds(number(call, "duration_seconds"))),
        Text(money, style="yellow" if money.startswith("unpriced") else "green"),
        Text(text(call, "evidence")),
    ]
