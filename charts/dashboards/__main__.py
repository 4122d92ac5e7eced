"""``python -m charts.dashboards``: write every dashboard anew."""

from __future__ import annotations

from pathlib import Path

from charts.dashboards.catalog import DASHBOARDS
from charts.dashboards.frame import to_json

FOLDER = Path(__file__).parents[1] / "podtab" / "dashboards"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, build in DASHBOARDS.items():
        (FOLDER / name).write_text(to_json(build()), encoding="utf-8")


if __name__ == "__main__":
    main()
