"""Dashboards: generated, whole, portable, linted, and about metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from agent.sinks import metrics
from charts.dashboards.catalog import DASHBOARDS as BUILDERS
from charts.dashboards.frame import to_json
from charts.dashboards.promql import INSTANCE
from charts.dashboards.queries import panels, queries
from tests.charts.conftest import CHART, Render

DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
KNOWN = {metric.exposed_name: metric for metric in vars(metrics).values() if isinstance(metric, metrics.Metric)}
every_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def test_checked_in_is_what_the_generator_makes() -> None:
    """`make dashboards` would change nothing, and no file is left of a dashboard that is gone."""
    assert {path.name: path.read_text(encoding="utf-8") for path in DASHBOARDS} == {
        name: to_json(build()) for name, build in BUILDERS.items()
    }


@every_dashboard
def test_grafanas_own_schema_holds_all_of_it(path: Path) -> None:
    """Decoded into Grafana's types and encoded again, nothing is lost and nothing is added: no misspelt option."""
    register_default_plugins()
    dashboard = load(path)
    decoded = Dashboard.from_json(json.loads(path.read_text()))
    assert json.loads(json.dumps(decoded, cls=JSONEncoder)) == dashboard


def test_a_misspelt_option_would_be_seen() -> None:
    """The round trip above drops what Grafana's types don't have, so it can fail."""
    register_default_plugins()
    dashboard = load(DASHBOARDS[0])
    next(panels(dashboard))["fieldConfig"]["defaults"]["unti"] = "s"
    decoded = Dashboard.from_json(json.loads(json.dumps(dashboard)))
    assert json.loads(json.dumps(decoded, cls=JSONEncoder)) != dashboard


@every_dashboard
def test_it_is_portable(path: Path) -> None:
    """No id of another Grafana: the data source is a variable everywhere, the dashboard's address is its own, ids are places."""
    dashboard = load(path)
    assert dashboard.get("id") is None
    assert re.fullmatch(r"podtab-[a-z-]+", dashboard["uid"])
    assert [panel["id"] for panel in dashboard["panels"]] == list(range(1, len(dashboard["panels"]) + 1))
    first, *others = dashboard["templating"]["list"]
    assert (first["type"], first["name"], first["label"]) == ("datasource", "datasource", "Data source")
    for part in [*others, *panels(dashboard), *(target for panel in panels(dashboard) for target in panel["targets"])]:
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_addresses_are_unique_and_links_lead_to_them() -> None:
    """A link of a panel goes to a dashboard of ours, sets only variables that it has, and keeps time and data source."""
    variables = {
        dashboard["uid"]: {variable["name"] for variable in dashboard["templating"]["list"]}
        for dashboard in map(load, DASHBOARDS)
    }
    assert len(variables) == len(DASHBOARDS) == 4
    seen = set()
    for path in DASHBOARDS:
        for url in re.findall(r'"url": "([^"]*)"', path.read_text()):
            uid, _, query = url.removeprefix("/d/").partition("?")
            assert {"${datasource:queryparam}", "${__url_time_range}"} <= set(query.split("&"))
            assert set(re.findall(r"var-(\w+)=", query)) <= variables[uid], url
            seen.add(uid)
    assert len(seen) >= 3


@every_dashboard
def test_dashboards_link_to_each_other(path: Path) -> None:
    """At the top of each: all dashboards of the tag, with variables and time kept."""
    dashboard = load(path)
    (link,) = dashboard["links"]
    assert link["type"] == "dashboards"
    assert link["includeVars"]
    assert link["keepTime"]
    assert set(link["tags"]) <= set(dashboard["tags"])


@every_dashboard
def test_rules_of_grafanas_linter(path: Path) -> None:
    """Uneditable; variables follow the time; panels have title, description, unit, legend, and words for emptiness."""
    dashboard = load(path)
    assert dashboard["editable"] is False
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["refresh"] == 2
            assert re.fullmatch(r"label_values\(\w+(\{.*\})?, \w+\)", variable["query"])
    titles = [panel["title"] for panel in panels(dashboard)]
    for panel in panels(dashboard):
        title, defaults = panel["title"], panel["fieldConfig"]["defaults"]
        assert title
        assert titles.count(title) == 1, title
        assert len(panel["description"]) > 10, title
        assert defaults["unit"], title
        assert defaults["noValue"], title
        assert panel["targets"], title
        assert all(target["legendFormat"] for target in panel["targets"]), title
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@every_dashboard
def test_money_is_in_dollars(path: Path) -> None:
    """What is called cost has the unit of dollars."""
    for panel in panels(load(path)):
        if panel["title"].startswith("Cost"):
            assert panel["fieldConfig"]["defaults"]["unit"] == "currencyUSD", panel["title"]


@every_dashboard
def test_windows_follow_what_is_shown(path: Path) -> None:
    """Rates are over $__rate_interval, growth over $__range or, once, the last day: no window that a zoom makes wrong."""
    for panel in panels(load(path)):
        for target in panel["targets"]:
            rates = set(re.findall(r"\brate\([^[]*\[([^\]]*)\]", target["expr"]))
            assert rates <= {"$__rate_interval"}, panel["title"]
            grown = set(re.findall(r"\bincrease\([^[]*\[([^\]]*)\]", target["expr"]))
            assert grown <= ({"$__range", "1d"} if "pace" in panel["title"] else {"$__range"}), panel["title"]


@every_dashboard
def test_legends_name_labels_that_the_query_keeps(path: Path) -> None:
    """A legend of a label that was summed away is blank."""
    for panel in panels(load(path)):
        for target in panel["targets"]:
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), (panel["title"], label)


@every_dashboard
def test_panels_do_not_overlap(path: Path) -> None:
    """Grafana's grid has 24 columns, and each cell one panel."""
    taken: dict[tuple[int, int], str] = {}
    for panel in load(path)["panels"]:
        grid = {"x": 0, "y": 0, **panel["gridPos"]}
        assert grid["x"] + grid["w"] <= 24
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                assert (x, y) not in taken, (panel["title"], taken.get((x, y)))
                taken[x, y] = panel["title"]


@every_dashboard
def test_every_query_is_about_metrics_and_labels_that_exist(path: Path) -> None:
    """A panel can't ask for a metric or a label that the code does not have, which would show as an empty panel."""
    for title, query in queries(load(path)):
        selectors = re.findall(r"(podtab_\w+)(?:\{([^}]*)\})?", query)
        assert selectors, title
        for name, matchers in selectors:
            metric = KNOWN[re.sub(r"_(bucket|sum|count)$", "", name)]
            used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', matchers)))
            assert used <= {*metric.labels, INSTANCE}, (title, name)


@every_dashboard
def test_prometheus_understands_every_query(path: Path, tmp_path: Path) -> None:
    """As recording rules, promtool accepts them all."""
    promtool = _promtool()
    rules = [{"record": f"panel:{number}", "expr": query} for number, (_, query) in enumerate(queries(load(path)))]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_total_counts_a_first_value(tmp_path: Path) -> None:
    """
    A pod's first call is a series' first sample, and increase() alone takes that for the past: a pod that calls once would cost
    nothing.  What was spent before the range still doesn't count, nor does it when the agent restarts.
    """
    promtool = _promtool()
    query = dict(queries(load(CHART / "dashboards" / "ai-cost-overview.json")))["Cost in this time range"]
    labels = 'namespace="a",workload="w",model="m",team="t",provider="p"'
    series = [
        {"series": f'podtab_cost_usd_total{{{labels},pod="old"}}', "values": "100x120"},
        {"series": f'podtab_cost_usd_total{{{labels},pod="born"}}', "values": "_x90 5x30"},
        {"series": f'podtab_cost_usd_total{{{labels},pod="once"}}', "values": "_x119 7"},
        {"series": f'podtab_cost_usd_total{{{labels},pod="restarted"}}', "values": "40x90 2x30"},
        # Prometheus was away when the range began: what it knew 30 minutes earlier is not new.
        {"series": f'podtab_cost_usd_total{{{labels},pod="missed"}}', "values": "100x30 _x50 100x38"},
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


def _promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool here")
    return found
