"""Results of a benchmark run: a name, a value, the goal, and whether it was met."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    name: str
    value: float
    unit: str
    goal: float
    better: Literal["lower", "higher"] = "lower"
    note: str = ""
    raw: dict[str, float] = field(default_factory=dict)
    """What the value was made of, as measured."""

    @property
    def met(self) -> bool:
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def progress(text: str) -> None:
    """For the person who waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def show(results: Sequence[Result]) -> None:
    """One JSON object on standard output, a table on standard error."""
    lines = [{**asdict(result), "met": result.met} for result in results]
    print(json.dumps({"results": lines}, indent=1))
    table = Table(box=None, header_style="bold")
    for name in ("what", "value", "goal", "", "note"):
        table.add_column(name, justify="right" if name in ("value", "goal") else "left")
    for result in results:
        sign = "≤" if result.better == "lower" else "≥"
        mark = "[green]met[/]" if result.met else "[red]missed[/]"
        table.add_row(result.name, f"{result.value:.3g} {result.unit}", f"{sign} {result.goal:g}", mark, result.note)
    Console(stderr=True).print(table)


Benchmark = Callable[[], list[Result]]
