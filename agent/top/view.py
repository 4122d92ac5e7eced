"""
The table: as many columns as the width allows, names cut before figures are.

``≥`` before an amount: calls without a known price are not in it.  Labels come from pods, so they are drawn as text, never as markup.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.box import Box
from rich.console import Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.top import text
from agent.top.figures import By, Pod, Rate, Snapshot, total, total_rate

Key = tuple[str, str, str]

# Only a line under the head and one above the sums.
_LINES = Box("    \n    \n ── \n    \n    \n ── \n    \n    \n")
_SHORTEST_NAME = 12


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
    """A name, which may have an ellipsis in its middle."""
    summed: bool = True
    unknown_by: frozenset[By] = frozenset()
    """Rows of which no page says it: histograms name no team."""


def rows(snapshot: Snapshot, found: Mapping[Key, Rate], *, sort: Sort) -> list[Row]:
    """What to draw, in order."""
    spent = sum(pod.cost_usd or 0.0 for pod in snapshot.pods.values())
    made = [
        Row(
            pod=pod,
            rate=found.get(key),
            share=pod.cost_usd / spent if spent and pod.cost_usd is not None else None,
        )
        for key, pod in snapshot.pods.items()
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
    by: By = By.POD,
    trouble: str = "",
) -> Group:
    """The whole picture.  ``height`` None: all rows, however many."""
    room = len(shown) if height is None else max(height - _FRAME_LINES, 1)
    parts: list[RenderableType] = [_headline(shown, width=width, source=source, live=live, by=by)]
    if shown:
        parts.append(Text(""))
        table = _table(shown[:room], whole=shown, width=width, live=live, sums=len(shown) > 1, by=by)
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


def _headline(shown: Sequence[Row], *, width: int, source: str, live: bool, by: By) -> Text:
    whole = total(row.pod for row in shown)
    line = Text(" podtab", style="bold")
    line.append("  ")
    line.append(text.amount(whole.cost_usd, unpriced=whole.unpriced_calls), style="bold green")
    rate = total_rate([row.rate for row in shown if row.rate is not None])
    if live and rate is not None and rate.usd_per_hour is not None:
        line.append(f"  {text.usd(rate.usd_per_hour)}/h", style="green")
    line.append(f"  {text.plural(whole.calls, 'call')}  {text.plural(len(shown), by.value)}")
    if width - line.cell_len > len(source) + 3:
        line.append("  " + source, style="dim")
    return line


def _table(shown: Sequence[Row], *, whole: Sequence[Row], width: int, live: bool, sums: bool, by: By) -> Table:
    columns = [
        column
        for column in (*NAMES[by], *COLUMNS)
        if column.from_width <= width and (live or not column.live) and by not in column.unknown_by
    ]
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
        table.add_row(
            *(_cut(cell, size) if column.cut else cell for column, cell, size in zip(columns, row, widths, strict=True))
        )
    return table


def _cut(cell: Text, size: int) -> Text:
    """In the middle: names of one Deployment's pods, and of a team's services, differ at their end."""
    if cell.cell_len <= size:
        return cell
    tail = (size - 1) // 2
    return Text.assemble(cell[: size - 1 - tail], "…", cell[len(cell) - tail :])


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
        reasons = ", ".join(f"{reason} {text.number(calls)}" for reason, calls in sorted(whole.unpriced.items()))
        said = f"≥ and unpriced: {text.plural(whole.unpriced_calls, 'call')} without a known price ({reasons})"
        notes.append(Text(said, style="yellow"))
    if snapshot.lost_bytes:
        notes.append(
            Text(f"{text.number(snapshot.lost_bytes)} bytes were lost between kernel and agent", style="yellow")
        )
    if snapshot.api_server is False:
        notes.append(Text("the API server can't be reached: pods are named from what is remembered", style="yellow"))
    return notes


# ------------------------------------------------------------------------------------------------------------------ cells


def _name(row: Row) -> Text:
    pod = row.pod
    return Text.assemble((f"{pod.namespace}/" if pod.namespace else "", "dim"), pod.name)


def _workload(row: Row) -> Text:
    return Text(text.short(row.pod.workload), style="dim")


def _named_workload(row: Row) -> Text:
    pod = row.pod
    return Text.assemble((f"{pod.namespace}/" if pod.namespace else "", "dim"), text.short(pod.workload))


def _other(row: Row) -> Text:
    """Calls without a team, or on a machine without namespaces."""
    return Text(row.pod.name) if row.pod.name else Text("(none)", style="dim")


def _cost(row: Row) -> Text:
    amount = row.pod.cost_usd
    style = "yellow" if amount is None else "green" if amount else "dim"
    return Text(text.amount(amount, unpriced=row.pod.unpriced_calls), style=style)


def _cost_rate(row: Row) -> Text:
    rate = row.rate
    if rate is None or rate.usd_per_hour is None:
        return Text("?", style="dim")
    return Text(text.usd(rate.usd_per_hour), style="green" if rate.usd_per_hour else "dim")


def _call_rate(row: Row) -> Text:
    rate = row.rate
    if rate is None:
        return Text("?", style="dim")
    pace = rate.calls_per_minute
    return Text(f"{pace:.1f}" if 0 < pace < 9.95 else text.number(pace), style="" if pace else "dim")


def _errors(row: Row) -> Text:
    return Text(text.number(row.pod.errors), style="red" if row.pod.errors else "dim")


def _evidence(row: Row) -> Text:
    share = row.pod.evidence_share
    return Text(text.percent(share), style="yellow" if share is not None and share < 1 else "")


def _tokens(count: Callable[[Pod], int]) -> Callable[[Row], Text]:
    def cell(row: Row) -> Text:
        if not row.pod.tokens_known:
            return Text("?", style="dim")
        return Text(text.number(count(row.pod)), style="" if count(row.pod) else "dim")

    return cell


NAMES = {
    By.POD: (
        Column(head="pod", cell=_name, right=False, cut=True, summed=False),
        Column(head="workload", cell=_workload, from_width=116, right=False, cut=True, summed=False),
    ),
    By.WORKLOAD: (Column(head="workload", cell=_named_workload, right=False, cut=True, summed=False),),
    **{
        by: (Column(head=by.value, cell=_other, right=False, cut=True, summed=False),)
        for by in (By.NAMESPACE, By.TEAM, By.MODEL)
    },
}
COLUMNS = (
    Column(head="calls", cell=lambda row: Text(text.number(row.pod.calls))),
    Column(head="/min", cell=_call_rate, live=True),
    Column(head="errors", cell=_errors, from_width=76),
    Column(head="in", cell=_tokens(lambda pod: pod.input_tokens)),
    Column(head="cached", cell=_tokens(lambda pod: pod.cached_tokens), from_width=76),
    Column(head="out", cell=_tokens(lambda pod: pod.output_tokens)),
    Column(
        head="p50",
        cell=lambda row: Text(text.seconds(row.pod.p50_seconds)),
        from_width=92,
        unknown_by=frozenset({By.TEAM}),
    ),
    Column(head="evidence", cell=_evidence, from_width=104),
    Column(head="$/hour", cell=_cost_rate, from_width=88, live=True),
    Column(head="cost", cell=_cost),
    Column(
        head="",
        cell=lambda row: Text(text.bar(row.share).ljust(text.BAR_WIDTH), style="green"),
        from_width=150,
        right=False,
    ),
)
