"""A row passes only for what was seen: every call with its tokens, or the reason why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.matrix.playing import CALLS, Result
from tests.matrix.report import cells, lines_of, page, summary, table, told
from tests.matrix.rows import Row

READ = Row(name="a", stack="A | B", client="c", folder="c", command="c")
SEALED = replace(READ, name="b", cannot="rustls")
SPOKEN = frozenset({"HTTP/1.1"})
WHOLE = Result(
    row=READ, sent=CALLS, captured=CALLS, tokens_served=90, tokens_captured=90, told={"readable": ""}, spoken=SPOKEN
)
TOLD = Result(row=SEALED, sent=CALLS, spoken=SPOKEN, tokens_served=90, told={"cannot_decrypt": "Rustls: inlined"})


@pytest.mark.parametrize(
    ("result", "failure"),
    [
        (WHOLE, ""),
        (TOLD, ""),
        (Result(row=READ, not_run="no Go"), ""),
        (replace(WHOLE, spoken=frozenset({"HTTP/2"})), "spoke HTTP/2"),
        (replace(WHOLE, problem="it crashed"), "it crashed"),
        (replace(WHOLE, sent=CALLS - 1), f"{CALLS - 1} calls of {CALLS}"),
        (replace(WHOLE, differences=("outcome_ok: 6 served, 5 captured",)), "5 captured; told: readable"),
        (replace(WHOLE, captured=0, differences=("outcome_ok: 6 served, absent captured",), told={}), "told: nothing"),
        (replace(TOLD, told={"readable": ""}), "told as readable"),
        (replace(TOLD, told={}), "told as nothing"),
        (replace(TOLD, told={"cannot_decrypt": "no symbols"}), "another reason: no symbols"),
        (replace(TOLD, sent=0), "0 calls"),
    ],
)
def test_what_fails_a_row(result: Result, failure: str) -> None:
    """Neither silence nor a wrong reason passes; what could not be run is neither."""
    assert failure in result.failure
    assert bool(failure) == bool(result.failure)


def test_cells_say_what_was_seen() -> None:
    """Exact is only what has no difference; a row that was not run has no figures."""
    assert cells(WHOLE)[3:] == (str(CALLS), str(CALLS), "exact", "")
    assert cells(TOLD)[4:] == ("0", "–", "cannot_decrypt: Rustls: inlined")
    wrong = replace(WHOLE, tokens_captured=80, differences=("tokens_input: 90 served, 80 captured",))
    assert cells(wrong)[5] == "80 of 90"
    assert cells(wrong)[6].startswith("FAILS")
    assert cells(Result(row=READ, not_run="no Go"))[3:] == ("–", "–", "–", "not run: no Go")


def test_table_and_page_have_a_line_a_row() -> None:
    """A column's sign inside a name does not break the page."""
    results: Any = [WHOLE, TOLD, Result(row=replace(READ, name="d"), not_run="no Go")]
    lines = told(results, [one.row for one in results], {})
    assert len(table(results).splitlines()) == 4
    drawn = [line for line in page(lines, CALLS).splitlines() if line.startswith("| ")]
    assert len(drawn) == 5
    assert all(line.replace("\\|", "").count("|") == 8 for line in drawn)
    assert summary(lines).startswith("1 of 1 readable clients were captured whole, 1 of 1 others")
    assert ", 1 could not be run" in summary(lines)


def test_what_is_not_played_stays_as_the_page_says() -> None:
    """And counts as it did there; a row that no page knows can't be told."""
    other = replace(READ, name="o", client="o")
    fails = replace(WHOLE, row=other, problem="it crashed")
    before = page(told([WHOLE, fails], [READ, other], {}), CALLS)
    after = told(
        [replace(WHOLE, captured=5, differences=("outcome_ok: 6 served, 5 captured",))], [READ, other], lines_of(before)
    )
    assert after[1][1] == cells(fails)
    assert after[0][1][4] == "5"
    assert summary(after).startswith("0 of 2")
    assert page(told([WHOLE], [READ, other], lines_of(page(after, CALLS))), CALLS) == before
    with pytest.raises(KeyError):
        told([], [SEALED, replace(READ, client="new")], lines_of(before))
