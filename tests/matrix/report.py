"""The matrix as a table for a terminal, and as docs/coverage.md.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.matrix.playing import Result
from tests.matrix.rows import Row

Cells = tuple[str, ...]

_HEAD = ("TLS stack", "client", "protocol", "calls sent", "captured", "tokens", "told")
_FAILS, _NOT_RUN = "FAILS", "not run"
_INTRODUCTION = """\
# What podtab reads, client by client

Made by `make coverage-matrix`; not to be edited. Real clients, over real TLS, watched by a real agent: each makes {calls} calls, every other one streamed,
at the demo's fake provider, whose books are the truth. A row passes if all its calls were captured with exactly the tokens that were served, or if it
can't be read and `podtab coverage` says so of its process with the reason.

{summary}
"""
_CLOSING = """
What the table does not say: a process is read from the moment its library carries a probe. A library that some process has had before carries one already,
so that the next process is read from its first byte. A library that nobody has had is probed when a process maps it as code, at its start or later: what that
process says within some 10 to 30 ms of it is missed, with a large program that has BoringSSL built in within 100 to 200 ms. The clients here wait until they are found, and beside
programs that make one call and end, another one of the kind waits.
"""


def cells(result: Result) -> Cells:
    row = result.row
    first = (row.stack, row.client, row.protocol)
    if result.not_run:
        return (*first, "–", "–", "–", f"{_NOT_RUN}: {result.not_run}")
    if row.cannot:
        tokens = "–" if not result.tokens_captured else f"{result.tokens_captured:,} of {result.tokens_served:,}"
    elif result.tokens_captured == result.tokens_served and not result.differences:
        tokens = "exact"
    else:
        tokens = f"{result.tokens_captured:,} of {result.tokens_served:,}"
    return (*first, str(result.sent), str(result.captured), tokens, _told(result))


def _told(result: Result) -> str:
    if result.failure:
        return f"{_FAILS}: {result.failure}"
    return "; ".join(
        f"{reason}: {detail}" if detail else reason
        for reason, detail in sorted(result.told.items())
        if reason != "readable"
    )


def summary(lines: Sequence[tuple[Row, Cells]]) -> str:
    run = [(row, line) for row, line in lines if not line[-1].startswith(_NOT_RUN)]
    readable = [line for row, line in run if not row.cannot]
    told = [line for row, line in run if row.cannot]
    passed, said = (sum(not line[-1].startswith(_FAILS) for line in some) for some in (readable, told))
    return (
        f"{passed} of {len(readable)} readable clients were captured whole, {said} of {len(told)} others are told with "
        f"their reason, {len(lines) - len(run)} could not be run on the machine that made this page."
    )


def lines_of(page: str) -> dict[Cells, Cells]:
    """What a page says of each row, by stack, client and protocol."""
    drawn = [line.removeprefix("| ").removesuffix(" |") for line in page.splitlines() if line.startswith("| ")]
    cut = [tuple(cell.replace("\\|", "|") for cell in line.split(" | ")) for line in drawn]
    return {line[:3]: line for line in cut}


def table(results: Sequence[Result]) -> str:
    """For a terminal."""
    lines = [_HEAD, *(cells(result) for result in results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )


def page(lines: Sequence[tuple[Row, Cells]], calls: int) -> str:
    """docs/coverage.md."""
    drawn = [_HEAD, ("---",) * len(_HEAD), *(tuple(cell.replace("|", "\\|") for cell in line) for _, line in lines)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in drawn)
    return f"{_INTRODUCTION.format(calls=calls, summary=summary(lines))}\n{text}\n{_CLOSING}"


def told(results: Sequence[Result], rows: Sequence[Row], kept: Mapping[Cells, Cells]) -> list[tuple[Row, Cells]]:
    """Each row with what was just seen of it, or else what an older page says."""
    played = {result.row.name: cells(result) for result in results}
    return [(row, played.get(row.name) or kept[row.stack, row.client, row.protocol]) for row in rows]
