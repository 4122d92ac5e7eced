"""The list of rows is whole: every client is there, and the committed page has the rows of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.matrix.rows import CLIENTS, Row, rows

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_rows_client_is_there(row: Row) -> None:
    """Its folder, and every file of the repository that its command names; a client that nothing here could ever run has none."""
    if row.not_run:
        return
    assert (CLIENTS / row.folder).is_dir()
    for word in row.command.split():
        if word.startswith("{here}"):
            assert Path(word.format(here=CLIENTS / row.folder)).exists(), word


def test_names_are_fit_for_pods() -> None:
    """They end up in cgroups, labels and keys."""
    assert all(row.name.replace("-", "").isalnum() and row.name == row.name.lower() for row in rows())


def test_the_page_has_every_row() -> None:
    """Stack, client and protocol, in the order of the list: make coverage-matrix was run since the last change."""
    lines = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    drawn = [(line[0].removeprefix("| "), line[1], line[2]) for line in lines[2:]]
    assert drawn == [(row.stack, row.client, row.protocol) for row in rows()]
