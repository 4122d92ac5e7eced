"""The rows of the coverage matrix that need no download: `make coverage-matrix` plays all."""

from __future__ import annotations

import os
import sys

import pytest

from tests.matrix.installing import why_not
from tests.matrix.playing import Result, play
from tests.matrix.rows import rows

pytestmark = pytest.mark.kernel

QUICK = {row.name: row for row in rows() if row.quick}


@pytest.fixture(scope="module")
def played() -> dict[str, Result]:
    if os.geteuid():
        pytest.skip("needs root: real probes")
    absent = {name: why_not(row) for name, row in QUICK.items()}
    results = play([row for name, row in QUICK.items() if not absent[name]], lambda text: print(text, file=sys.stderr))
    return {name: Result(row=row, not_run=absent[name]) for name, row in QUICK.items()} | {
        result.row.name: result for result in results
    }


@pytest.mark.parametrize("name", QUICK)
def test_each_client_is_captured_whole_or_told(played: dict[str, Result], name: str) -> None:
    """By the provider's books, or by the reason that coverage gives."""
    if played[name].not_run:
        pytest.skip(played[name].not_run)
    assert played[name].failure == ""
