"""``python -m tests.matrix [--page FILE] [ROW...]``: build, play, print; exit code 1 where a row fails."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from agent.model import PodtabError
from tests.matrix.installing import build_all
from tests.matrix.playing import CALLS, Result, play
from tests.matrix.report import lines_of, page, summary, table, told
from tests.matrix.rows import rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="make coverage-matrix", description=__doc__)
    parser.add_argument("--page", type=Path, help="write the page there; rows that are not played stay as it says")
    parser.add_argument("--quick", action="store_true", help="only rows that need no download")
    parser.add_argument("names", nargs="*", metavar="ROW")
    given = parser.parse_args()
    chosen = [row for row in rows() if (row.quick or not given.quick) and (row.name in given.names or not given.names)]
    unknown = set(given.names) - {row.name for row in chosen}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    kept = lines_of(given.page.read_text(encoding="utf-8")) if given.page and given.page.exists() else {}
    new = [row.name for row in rows() if row not in chosen and (row.stack, row.client, row.protocol) not in kept]
    if given.page and new:
        parser.error(f"the page has no line of {', '.join(new)}")
    _say(f"building what {len(chosen)} rows need")
    absent = build_all(chosen)
    played = {one.row.name: one for one in play([row for row in chosen if not absent[row.name]], _say)}
    results = [played.get(row.name) or Result(row=row, not_run=absent[row.name]) for row in chosen]
    sys.stdout.write(f"{table(results)}\n\n{summary(told(results, chosen, {}))}\n")
    if given.page:
        given.page.write_text(page(told(results, rows(), kept), CALLS), encoding="utf-8")
    return 1 if any(result.failure for result in results) else 0


def _say(text: str) -> None:
    sys.stderr.write(f"matrix: {text}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PodtabError as error:
        sys.exit(f"matrix: {error}")
