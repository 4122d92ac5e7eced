"""Dashboards: whole, portable, and about metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.conftest import CHART, Render

DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
METRICS_PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def load(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_no_data_source_is_hard_coded(path: Path) -> None:
    """Every panel takes the data source from the variable, so the dashboard works in any Grafana."""
    dashboard = load(path)
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"]), panel["title"]
    assert dashboard["templating"]["list"][0]["type"] == "datasource"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_do_not_overlap(path: Path) -> None:
    """Grafana's grid has 24 columns, and each cell one panel."""
    taken: dict[tuple[int, int], str] = {}
    for panel in load(path)["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                assert (x, y) not in taken, (panel["title"], taken.get((x, y)))
                taken[x, y] = panel["title"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_queried_metric_is_documented(path: Path) -> None:
    """docs/metrics.md is generated from the code, so a panel can't ask for a metric that is not there."""
    page = METRICS_PAGE.read_text()
    for panel in load(path)["panels"]:
        for target in panel["targets"]:
            for name in re.findall(r"podtab_\w+", target["expr"]):
                assert re.sub(r"_(bucket|sum|count)$", "", name) in page, (panel["title"], name)


def test_grafanas_sidecar_finds_them(render: Render) -> None:
    """The ConfigMap has the sidecar's label and one entry a dashboard, unchanged."""
    (found,) = [part for part in render() if "grafana_dashboard" in part["metadata"].get("labels", {})]
    assert yaml.safe_load(yaml.safe_dump(found))["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {name: json.loads(text) for name, text in found["data"].items()} == {
        path.name: load(path) for path in DASHBOARDS
    }
