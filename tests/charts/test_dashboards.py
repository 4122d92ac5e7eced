"""Dashboards: whole, portable, and about metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.sinks import metrics
from tests.charts.conftest import CHART, Render

DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
KNOWN = {metric.exposed_name: metric for metric in vars(metrics).values() if isinstance(metric, metrics.Metric)}
VARIABLES = {"__rate_interval": "5m", "__range": "1h", "namespace": ".*", "team": ".*", "model": ".*"}


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


def queries(path: Path) -> Iterator[tuple[str, str]]:
    """(panel, query), Grafana's variables replaced."""
    for panel in load(path)["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in VARIABLES.items():
                query = query.replace(f"${name}", value)
            yield panel["title"], query


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_query_is_about_metrics_and_labels_that_exist(path: Path) -> None:
    """A panel can't ask for a metric or a label that the code does not have, which would show as an empty panel."""
    for title, query in queries(path):
        selectors = re.findall(r"(podtab_\w+)(?:\{([^}]*)\})?", query)
        assert selectors, title
        for name, matchers in selectors:
            metric = KNOWN[re.sub(r"_(bucket|sum|count)$", "", name)]
            used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', "", matchers)))
            assert used <= set(metric.labels), (title, name)
            grouped = set(re.findall(r"\w+", ",".join(re.findall(r"by \(([^)]*)\)", query)))) - {"le"}
            assert grouped <= set(metric.labels), (title, name)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_prometheus_understands_every_query(path: Path, tmp_path: Path) -> None:
    """As recording rules, promtool accepts them all."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here")
    rules = [{"record": f"panel:{number}", "expr": query} for number, (_, query) in enumerate(queries(path))]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_total_counts_a_first_value(tmp_path: Path) -> None:
    """
    A pod's first call is a series' first sample, and increase() alone takes that for the past: a pod that calls once would cost
    nothing.  What was spent before the range still doesn't count, nor does it when the agent restarts.
    """
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here")
    overview = CHART / "dashboards" / "ai-cost-overview.json"
    query = dict(queries(overview))["Cost in this time range"]
    labels = 'namespace="a",model="m",team="t",provider="p"'
    series = [
        {"series": f'podtab_cost_usd_total{{{labels},pod="old"}}', "values": "100x120"},
        {"series": f'podtab_cost_usd_total{{{labels},pod="born"}}', "values": "_x90 5x30"},
        {"series": f'podtab_cost_usd_total{{{labels},pod="once"}}', "values": "_x119 7"},
        {"series": f'podtab_cost_usd_total{{{labels},pod="restarted"}}', "values": "40x90 2x30"},
    ]
    case = {"expr": query, "eval_time": "120m", "exp_samples": [{"labels": "{}", "value": 5 + 7 + 2}]}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [case]}
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafanas_sidecar_finds_them(render: Render) -> None:
    """The ConfigMap has the sidecar's label and one entry a dashboard, unchanged."""
    (found,) = [part for part in render() if "grafana_dashboard" in part["metadata"].get("labels", {})]
    assert yaml.safe_load(yaml.safe_dump(found))["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {name: json.loads(text) for name, text in found["data"].items()} == {
        path.name: load(path) for path in DASHBOARDS
    }
