"""The demo's last word: a table for people, or one JSON object for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from agent.demo.agreement import COST, OUTCOME, TOKENS, WITHOUT_PRICE, WITHOUT_USAGE, Agreement, Figures, total
from agent.demo.pods import Pod

# Wide enough for the table where standard output is no terminal.
WIDTH = 170


def as_json(agreement: Agreement, pods: Sequence[Pod], elsewhere: dict[str, Decimal], seconds: float) -> str:
    by_name = {pod.name: pod for pod in pods}
    served = [result.served for result in agreement.pods]
    captured = [result.captured for result in agreement.pods]
    document = {
        "agreement": agreement.share,
        "calls": {"served": int(total(served, OUTCOME)), "captured": int(total(captured, OUTCOME))},
        "tokens": {"served": int(total(served, TOKENS)), "captured": int(total(captured, TOKENS))},
        "cost_usd": {"served": float(total(served, COST)), "captured": float(total(captured, COST))},
        "pods": [
            {
                "namespace": by_name[result.pod].namespace,
                "pod": result.pod,
                "workload": by_name[result.pod].workload,
                "team": by_name[result.pod].team,
                "served": _numbers(result.served),
                "captured": _numbers(result.captured),
                "agrees": not result.differences,
            }
            for result in agreement.pods
        ],
        "differences": [
            {"pod": one.pod, "figure": one.figure, "served": one.served, "captured": one.captured}
            for one in agreement.differences
        ],
        "elsewhere": _numbers(elsewhere),
        "seconds": round(seconds, 1),
    }
    return json.dumps(document)


def _numbers(figures: Figures) -> dict[str, int | float]:
    return {name: float(value) if name == COST else int(value) for name, value in figures.items()}


def show(agreement: Agreement, pods: Sequence[Pod], elsewhere: dict[str, Decimal], console: Console) -> None:
    by_name = {pod.name: pod for pod in pods}
    table = Table(title="Cost per pod, as podtab captured it", title_justify="left", box=SIMPLE)
    for heading in ("namespace", "pod", "workload", "team"):
        table.add_column(heading, overflow="fold")
    headings = ("calls", "tokens in", "cached", "out", "cost USD", "books USD", "")
    for heading in headings:
        table.add_column(heading, justify="right")
    for result in agreement.pods:
        pod = by_name[result.pod]
        table.add_row(
            pod.namespace,
            pod.name,
            pod.workload,
            pod.team,
            *_cells(result.captured),
            _dollars(result.served.get(COST)),
            "[red]differs[/red]" if result.differences else "[green]equal[/green]",
        )
    table.add_section()
    captured = _sum([result.captured for result in agreement.pods])
    served = _sum([result.served for result in agreement.pods])
    table.add_row("total", "", "", "", *_cells(captured), _dollars(served.get(COST)), "", style="bold")
    console.print(table)
    console.print(
        f"The fake provider served {total([served], OUTCOME):.0f} calls; podtab captured {total([captured], OUTCOME):.0f}. "
        f"Tokens: {total([served], TOKENS):,.0f} served, {total([captured], TOKENS):,.0f} captured.",
        highlight=False,
    )
    _show_unknown(served, captured, console)
    for who, count in sorted(elsewhere.items()):
        console.print(f"Not of the demo: {count:.0f} calls of {who}.", highlight=False, markup=False)
    for one in agreement.differences:
        console.print(
            f"differs: {one.pod}: {one.figure}: served {one.served}, captured {one.captured}",
            style="red",
            highlight=False,
            markup=False,
        )
    console.print(f"Agreement with the books: {agreement.share:.2%}", style="bold", highlight=False)


def _show_unknown(served: Figures, captured: Figures, console: Console) -> None:
    """What nobody can know is said, not counted as nothing."""
    for name, meaning, instead in (
        (
            WITHOUT_USAGE,
            "answers did not say what they used (streams without include_usage)",
            "its own count has evidence estimated, and is not in this table",
        ),
        (WITHOUT_PRICE, "calls went to a model that is on no price list", "no cost, not a cost of 0"),
    ):
        if served.get(name) or captured.get(name):
            left, right = (f"{side.get(name, Decimal(0)):.0f}" for side in (served, captured))
            console.print(f"{left} {meaning}; podtab says so of {right}: {instead}.", highlight=False)


def _cells(figures: Figures) -> list[str]:
    if not figures:
        return ["absent"] * 5
    one = [figures]
    cached = total(one, TOKENS + "cache_read")
    inputs = total(one, TOKENS + "input") + total(one, TOKENS + "cache")
    outputs = total(one, TOKENS + "output") + total(one, TOKENS + "reasoning")
    return [
        f"{total(one, OUTCOME):.0f}",
        f"{inputs:,.0f}",
        f"{cached:,.0f}",
        f"{outputs:,.0f}",
        _dollars(figures.get(COST)),
    ]


def _dollars(cost: Decimal | None) -> str:
    """Binary floating point first loses its dust, or equal sums are shown unequal where a digit is just about to turn."""
    return "absent" if cost is None else f"{round(cost, 9):.6f}"


def _sum(rows: Sequence[Figures]) -> dict[str, Decimal]:
    names = {name for row in rows for name in row}
    return {name: sum((row.get(name, Decimal(0)) for row in rows), Decimal(0)) for name in sorted(names)}
