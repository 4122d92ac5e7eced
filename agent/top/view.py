"""
The table: as many columns as the width allows, names cut before figures are.

``≥`` before an amount: calls without a known price are not in it.  Labels come from pods, so they are drawn as text, never as markup.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.box import Box
from rich.console import Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.top.figures import Pod, Rate, Snapshot, total, total_rate

Key = tuple[str, str, str]

# Only a line under the head and one above the sums.
_LINES = Box("    \n    \n ── \n    \n    \n ── \n    \n    \n")
_BAR_WIDTH = 8
_SHORTEST_NAME = 12
# As kubectl abbreviates them.
_SHORT_KINDS = {
    "CronJob": "cj",
    "DaemonSet": "ds",
    "Deployment": "deploy",
    "Job": "job",
    "Pod": "pod",
    "StatefulSet": "sts",
    "SystemdUnit": "unit",
    "Process": "process",
}
_EIGHTHS = " ▏▎▍▌▋▊▉"


class Sort(enum.StrEnum):
    COST = "cost"
    RATE = "rate"
    CALLS = "calls"
    TOKENS = "tokens"
    ERRORS = "errors"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    pod: Pod
    rate: Rate | None
    share: float | None = None
    """Of the cost of all rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    head: str
    cell: Callable[[Row], Text]
    from_width: int = 0
    """Of the terminal, in characters: narrower ones go without."""
    live: bool = False
    """Needs two pages."""
    right: bool = True
    cut: bool = False
    """A name, which may end in an ellipsis."""
    summed: bool = True


def rows(snapshot: Snapshot, found: Mapping[Key, Rate], *, sort: Sort, namespace: str) -> list[Row]:
    """What to draw, in order."""
    chosen = {key: pod for key, pod in snapshot.pods.items() if not namespace or pod.namespace == namespace}
    spent = sum(pod.cost_usd or 0.0 for pod in chosen.values())
    made = [
        Row(
            pod=pod,
            rate=found.get(key),
            share=pod.cost_usd / spent if spent and pod.cost_usd is not None else None,
        )
        for key, pod in chosen.items()
    ]
    made.sort(key=lambda row: (row.pod.namespace, row.pod.name, row.pod.workload))
    if sort is not Sort.NAME:
        made.sort(key=lambda row: _rank(row, sort), reverse=True)
    return made


def _rank(row: Row, sort: Sort) -> tuple[float, float]:
    """Highest first; what is not known comes after every figure above 0 and before 0: it may be anything."""
    pod, rate = row.pod, row.rate
    match sort:
        case Sort.CALLS:
            return pod.calls, 0
        case Sort.TOKENS:
            return pod.input_tokens + pod.cached_tokens + pod.output_tokens, 0
        case Sort.ERRORS:
            return pod.errors, pod.calls
        case Sort.RATE:
            figure = rate.usd_per_hour if rate is not None else None
        case _:
            figure = pod.cost_usd
    return (1e-12 if figure is None else figure), pod.calls


def screen(
    snapshot: Snapshot,
    shown: Sequence[Row],
    *,
    width: int,
    height: int | None,
    source: str,
    live: bool,
    trouble: str = "",
) -> Group:
    """The whole picture.  ``height`` None: all rows, however many."""
    room = len(shown) if height is None else max(height - _FRAME_LINES, 1)
    parts: list[RenderableType] = [_headline(shown, width=width, source=source, live=live)]
    if shown:
        parts.append(Text(""))
        table = _table(shown[:room], whole=shown, width=width, live=live, sums=len(shown) > 1)
        parts.append(Padding(table, (0, 0, 0, 1), expand=False))
    else:
        parts.append(Padding(Text("No calls to a model yet.", style="dim"), (1, 1)))
    if len(shown) > room:
        parts.append(Text(f" … and {len(shown) - room} more; --namespace and --sort choose", style="dim"))
    parts += [Padding(note, (0, 1), expand=False) for note in _notes(snapshot, shown)]
    if trouble:
        parts.append(Padding(Text(trouble, style="bold red"), (0, 1)))
    return Group(*parts)


# Headline, head of the table with its line, sums with theirs, and up to four notes.
_FRAME_LINES = 10


def _headline(shown: Sequence[Row], *, width: int, source: str, live: bool) -> Text:
    whole = total(row.pod for row in shown)
    line = Text(" podtab", style="bold")
    line.append("  ")
    line.append(_amount(whole.cost_usd, unpriced=whole.unpriced_calls), style="bold green")
    rate = total_rate([row.rate for row in shown if row.rate is not None])
    if live and rate is not None and rate.usd_per_hour is not None:
        line.append(f"  {_usd(rate.usd_per_hour)}/h", style="green")
    line.append(f"  {_plural(whole.calls, 'call')}  {_plural(len(shown), 'pod')}")
    if width - line.cell_len > len(source) + 3:
        line.append("  " + source, style="dim")
    return line


def _table(shown: Sequence[Row], *, whole: Sequence[Row], width: int, live: bool, sums: bool) -> Table:
    columns = [column for column in COLUMNS if column.from_width <= width and (live or not column.live)]
    all_sums = Row(pod=total(row.pod for row in whole), rate=total_rate([row.rate for row in whole if row.rate]))
    feet = [column.cell(all_sums) if sums and column.summed else Text("") for column in columns]
    cells = [[column.cell(row) for row in shown] for column in columns]
    widths = _widths(columns, cells, feet, width)
    table = Table(
        box=_LINES, show_edge=False, show_footer=sums, header_style="bold", footer_style="bold", padding=(0, 1, 0, 0)
    )
    for column, foot, size in zip(columns, feet, widths, strict=True):
        justify: JustifyMethod = "right" if column.right else "left"
        table.add_column(column.head, footer=foot, justify=justify, width=size, no_wrap=True, overflow="ellipsis")
    for row in zip(*cells, strict=True):
        table.add_row(*row)
    return table


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[Text]], feet: Sequence[Text], width: int) -> list[int]:
    """Figures get what they need, names share the rest; the pod's is the last to be cut."""
    needs = [
        max(len(column.head), foot.cell_len, *(cell.cell_len for cell in own))
        for column, foot, own in zip(columns, feet, cells, strict=True)
    ]
    # One column of air before the table, two between its columns.
    room = width - 2 * len(columns) - sum(need for column, need in zip(columns, needs, strict=True) if not column.cut)
    for place in reversed([place for place, column in enumerate(columns) if column.cut]):
        # What is left of the room goes to the names before this one.
        before = sum(need for column, need in zip(columns[:place], needs, strict=False) if column.cut)
        needs[place] = min(needs[place], max(room - before, _SHORTEST_NAME))
        room -= needs[place]
    return needs


def _notes(snapshot: Snapshot, shown: Sequence[Row]) -> list[Text]:
    notes = []
    whole = total(row.pod for row in shown)
    if whole.unpriced:
        reasons = ", ".join(f"{reason} {_number(calls)}" for reason, calls in sorted(whole.unpriced.items()))
        text = f"≥ and unpriced: {_plural(whole.unpriced_calls, 'call')} without a known price ({reasons})"
        notes.append(Text(text, style="yellow"))
    if snapshot.lost_bytes:
        notes.append(Text(f"{_number(snapshot.lost_bytes)} bytes were lost between kernel and agent", style="yellow"))
    if snapshot.api_server is False:
        notes.append(Text("the API server can't be reached: pods are named from what is remembered", style="yellow"))
    return notes


# ---------------------------------------------------------------------------------------------------------------- figures


def _usd(amount: float) -> str:
    """Cents from a dollar on, else four digits that say something."""
    if amount == 0:
        return "$0"
    if amount >= 1:
        return f"${amount:,.2f}"
    if amount < 0.000001:
        return "<$0.000001"
    return f"${amount:.{min(6, 3 - math.floor(math.log10(amount)))}f}"


def _amount(amount: float | None, *, unpriced: int) -> str:
    if amount is None:
        return "unpriced"
    return f"≥{_usd(amount)}" if unpriced else _usd(amount)


def _number(number: float) -> str:
    """1234 → 1,234; 12345 → 12.3k."""
    if number < 10_000:
        return f"{number:,.0f}"
    for limit, unit in ((1e6, "k"), (1e9, "M"), (1e12, "G")):
        if number < limit * 0.9995:
            scaled = number / (limit / 1000)
            return f"{scaled:.1f}{unit}" if scaled < 99.95 else f"{scaled:.0f}{unit}"
    return f"{number / 1e12:,.1f}T"


def _plural(number: int, word: str) -> str:
    return f"{_number(number)} {word}{'' if number == 1 else 's'}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if math.isinf(seconds):
        return ">82s"
    if seconds < 0.995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 9.95 else f"{seconds:.0f}s"


def _percent(share: float | None) -> str:
    """Cut, not rounded: 100 % means all."""
    return "–" if share is None else f"{math.floor(share * 100)}%"


def _bar(share: float | None) -> str:
    if not share:
        return ""
    eighths = max(1, round(share * _BAR_WIDTH * 8))
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


# ------------------------------------------------------------------------------------------------------------------ cells


def _name(row: Row) -> Text:
    pod = row.pod
    return Text.assemble((f"{pod.namespace}/" if pod.namespace else "", "dim"), pod.name)


def _workload(row: Row) -> Text:
    kind, slash, name = row.pod.workload.partition("/")
    return Text(_SHORT_KINDS.get(kind, kind) + slash + name, style="dim")


def _cost(row: Row) -> Text:
    amount = row.pod.cost_usd
    style = "yellow" if amount is None else "green" if amount else "dim"
    return Text(_amount(amount, unpriced=row.pod.unpriced_calls), style=style)


def _cost_rate(row: Row) -> Text:
    rate = row.rate
    if rate is None or rate.usd_per_hour is None:
        return Text("?", style="dim")
    return Text(_usd(rate.usd_per_hour), style="green" if rate.usd_per_hour else "dim")


def _call_rate(row: Row) -> Text:
    rate = row.rate
    if rate is None:
        return Text("?", style="dim")
    pace = rate.calls_per_minute
    return Text(f"{pace:.1f}" if 0 < pace < 9.95 else _number(pace), style="" if pace else "dim")


def _errors(row: Row) -> Text:
    return Text(_number(row.pod.errors), style="red" if row.pod.errors else "dim")


def _evidence(row: Row) -> Text:
    share = row.pod.evidence_share
    return Text(_percent(share), style="yellow" if share is not None and share < 1 else "")


def _tokens(count: Callable[[Pod], int]) -> Callable[[Row], Text]:
    return lambda row: Text(_number(count(row.pod)), style="" if count(row.pod) else "dim")


COLUMNS = (
    Column(head="pod", cell=_name, right=False, cut=True, summed=False),
    Column(
        head="workload",
        cell=_workload,
        from_width=116,
        right=False,
        cut=True,
        summed=False,
    ),
    Column(head="calls", cell=lambda row: Text(_number(row.pod.calls))),
    Column(head="/min", cell=_call_rate, live=True),
    Column(head="errors", cell=_errors, from_width=76),
    Column(head="in", cell=_tokens(lambda pod: pod.input_tokens)),
    Column(head="cached", cell=_tokens(lambda pod: pod.cached_tokens), from_width=76),
    Column(head="out", cell=_tokens(lambda pod: pod.output_tokens)),
    Column(head="p50", cell=lambda row: Text(_seconds(row.pod.p50_seconds)), from_width=92),
    Column(head="evidence", cell=_evidence, from_width=104),
    Column(head="$/hour", cell=_cost_rate, from_width=88, live=True),
    Column(head="cost", cell=_cost),
    Column(
        head="", cell=lambda row: Text(_bar(row.share).ljust(_BAR_WIDTH), style="green"), from_width=150, right=False
    ),
)
