"""A row passes only for what was seen: every call with its tokens, or the reason why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.matrix.playing import CALLS, Result
from tests.matrix.report import cells, page, summary, table
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
    results: Any = [WHOLE, TOLD, Result(row=READ, not_run="no Go")]
    assert len(table(results).splitlines()) == 4
    drawn = [line for line in page(results, CALLS).splitlines() if line.startswith("| ")]
    assert len(drawn) == 5
    assert all(line.replace("\\|", "").count("|") == 8 for line in drawn)
    assert summary(results).startswith("1 of 1 readable clients were captured whole, 1 of 1 others")
