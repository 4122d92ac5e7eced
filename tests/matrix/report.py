"""The matrix as a table for a terminal, and as docs/coverage.md.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tests.matrix.playing import Result

_HEAD = ("TLS stack", "client", "protocol", "calls sent", "captured", "tokens", "told")
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


def cells(result: Result) -> tuple[str, ...]:
    row = result.row
    first = (row.stack, row.client, row.protocol)
    if result.not_run:
        return (*first, "–", "–", "–", f"not run: {result.not_run}")
    if row.cannot:
        tokens = "–" if not result.tokens_captured else f"{result.tokens_captured:,} of {result.tokens_served:,}"
    elif result.tokens_captured == result.tokens_served and not result.differences:
        tokens = "exact"
    else:
        tokens = f"{result.tokens_captured:,} of {result.tokens_served:,}"
    return (*first, str(result.sent), str(result.captured), tokens, _told(result))


def _told(result: Result) -> str:
    if result.failure:
        return f"FAILS: {result.failure}"
    return "; ".join(
        f"{reason}: {detail}" if detail else reason
        for reason, detail in sorted(result.told.items())
        if reason != "readable"
    )


def summary(results: Sequence[Result]) -> str:
    run = [result for result in results if not result.not_run]
    readable = [result for result in run if not result.row.cannot]
    told = [result for result in run if result.row.cannot]
    passed = sum(not result.failure for result in readable)
    return (
        f"{passed} of {len(readable)} readable clients were captured whole, {sum(not one.failure for one in told)} of {len(told)} others are told with "
        f"their reason, {len(results) - len(run)} could not be run on the machine that made this page."
    )


def table(results: Sequence[Result]) -> str:
    """For a terminal."""
    lines = [_HEAD, *(cells(result) for result in results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )


def page(results: Sequence[Result], calls: int) -> str:
    """docs/coverage.md."""
    lines = [_HEAD, ("---",) * len(_HEAD), *(tuple(cell.replace("|", "\\|") for cell in cells(one)) for one in results)]
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{_INTRODUCTION.format(calls=calls, summary=summary(results))}\n{drawn}\n{_CLOSING}"
