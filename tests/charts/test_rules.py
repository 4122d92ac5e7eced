"""Recording rules and alerts: each fires and resolves in promtool's own evaluation, and the chart changes thresholds only."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.sinks import metrics
from tests.charts.conftest import CHART, Render

FILE = CHART / "rules" / "podtab.yaml"
GROUPS = yaml.safe_load(FILE.read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())["prometheusRule"]
WHO = 'cluster="c",namespace="shop",workload_kind="Deployment",workload="checkout"'
SHOP = {"cluster": "c", "namespace": "shop", "workload_kind": "Deployment", "workload": "checkout"}
NODE = 'job="podtab",node="n1",instance="10.0.0.1:9464"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What happens to an alert: it fires with these labels at one moment, and at a later one it does not."""

    series: dict[str, str]
    fires_at: str
    labels: dict[str, str] = field(default_factory=dict)
    resolved_at: str
    interval: str = "1m"


CASES = {
    "PodtabCostBurn": Case(
        series={f"podtab_cost_usd_total{{{WHO}}}": "0+2x180 360x240"},
        fires_at="150m",
        labels={"cluster": "c"},
        resolved_at="300m",
    ),
    "PodtabCostAboveLastWeek": Case(
        series={f"workload:podtab_cost_usd:per_hour{{{WHO}}}": "2x2016 10x24 2x24"},
        fires_at="169h30m",
        labels=SHOP,
        resolved_at="171h30m",
        interval="5m",
    ),
    "PodtabCallsUnpriced": Case(
        series={
            'podtab_calls_total{cluster="c"}': "0+100x400",
            'podtab_unpriced_calls_total{cluster="c",provider="openai",model="new",reason="unknown_model"}': "0+2x120 240x280",
            'podtab_unpriced_calls_total{cluster="c",provider="openai",model="old",reason="not_billed"}': "0+50x400",
        },
        fires_at="120m",
        labels={"cluster": "c", "provider": "openai", "model": "new", "reason": "unknown_model"},
        resolved_at="300m",
    ),
    "PodtabPriceBookOld": Case(
        # promtool's clock begins at 0.
        series={'podtab_price_book_timestamp_seconds{instance="a",cluster="c"}': "-5270400x120 0x60"},
        fires_at="90m",
        labels={"cluster": "c"},
        resolved_at="150m",
    ),
    "PodtabBytesLost": Case(
        series={
            f'podtab_capture_kernel_events_total{{{NODE},event="captured_bytes"}}': "0+1000x300",
            f'podtab_capture_kernel_events_total{{{NODE},event="ring_lost_bytes"}}': "0+10x60 600x240",
            f'podtab_capture_kernel_events_total{{{NODE},event="ignored_bytes"}}': "0+90000x300",
        },
        fires_at="60m",
        labels={"node": "n1", "instance": "10.0.0.1:9464"},
        resolved_at="120m",
    ),
    "PodtabCoverageLost": Case(
        series={
            f'podtab_workload_coverage{{{WHO},pod="a",reason="readable"}}': "8x300",
            f'podtab_workload_coverage{{{WHO},pod="b",reason="cannot_decrypt"}}': "2x60 0x240",
            f'podtab_workload_coverage{{{WHO},pod="b",reason="not_selected"}}': "90x300",
        },
        fires_at="50m",
        labels=SHOP | {"reason": "cannot_decrypt"},
        resolved_at="120m",
    ),
    "PodtabModelConnectionsNotRead": Case(
        # A quarter of what was not read was read late; from an hour on all is read.
        series={
            f'podtab_model_connections_total{{{WHO},pod="a",provider="openai",outcome="read"}}': "0+2x60 120+10x240",
            f'podtab_model_connections_total{{{WHO},pod="a",provider="openai",outcome="not_read"}}': "0+8x60 480x240",
            f'podtab_model_connections_total{{{WHO},pod="a",provider="openai",outcome="read_late"}}': "0+2x60 120x240",
            f'podtab_model_connections_total{{{WHO},pod="a",provider="openai",outcome="unknown"}}': "0x300",
            f'podtab_model_connections_total{{{WHO},pod="a",provider="anthropic",outcome="read"}}': "0+5x300",
            f'podtab_model_connections_total{{{WHO},pod="a",provider="anthropic",outcome="not_read"}}': "0+8x300",
            f'podtab_model_connections_total{{{WHO},pod="a",provider="anthropic",outcome="read_late"}}': "0+3x300",
            f'podtab_model_connections_total{{{WHO},pod="a",provider="anthropic",outcome="unknown"}}': "0x300",
        },
        fires_at="55m",
        labels=SHOP | {"provider": "openai"},
        resolved_at="120m",
    ),
    "PodtabCaptureNotInForce": Case(
        series={
            f'podtab_capture_libraries{{{NODE},state="failed"}}': "3x60 2x60",
            f'podtab_capture_libraries{{{NODE},state="probed"}}': "0x60 1x60",
        },
        fires_at="30m",
        labels={"job": "podtab", "node": "n1", "instance": "10.0.0.1:9464", "state": "failed"},
        resolved_at="90m",
    ),
    "PodtabSeriesLimitReached": Case(
        series={f'podtab_limited_label_values_total{{{NODE},label="model"}}': "0x10 1x300"},
        fires_at="30m",
        labels={"node": "n1", "instance": "10.0.0.1:9464", "label": "model"},
        resolved_at="120m",
    ),
    "PodtabAgentDown": Case(
        series={f"up{{{NODE}}}": "1x10 0x30 1x60"},
        fires_at="30m",
        labels={"job": "podtab", "node": "n1", "instance": "10.0.0.1:9464"},
        resolved_at="60m",
    ),
    "PodtabNodeWithoutAgent": Case(
        series={
            'up{job="kubelet",node="n1"}': "1x200",
            'up{job="kubelet",node="n2"}': "1x200",
            'up{job="podtab",node="n1"}': "1x200",
            'up{job="podtab",node="n2"}': "_x60 1x140",
        },
        fires_at="45m",
        labels={"node": "n2"},
        resolved_at="90m",
    ),
    "PodtabAbsent": Case(
        series={'podtab_build_info{version="1"}': "_x30 1x60"},
        fires_at="20m",
        resolved_at="60m",
    ),
    "PodtabApiServerUnreachable": Case(
        series={f"podtab_api_server_reachable{{{NODE}}}": "1x10 0x30 1x60"},
        fires_at="30m",
        labels={"job": "podtab", "node": "n1", "instance": "10.0.0.1:9464"},
        resolved_at="60m",
    ),
}


@pytest.fixture(scope="session")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool here")
    return found


def rendered(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups of the PrometheusRule."""
    (found,) = [part for part in objects if part["kind"] == "PrometheusRule"]
    return list(found["spec"]["groups"])


def evaluate(promtool: str, folder: Path, groups: list[dict[str, Any]], test: dict[str, Any]) -> str:
    """What promtool complains of; "" is nothing."""
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    suite = {"rule_files": ["rules.yaml"], "evaluation_interval": test["interval"], "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(suite))
    command = [promtool, "test", "rules", str(folder / "test.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def alert_test(name: str, case: Case, severity: str, *, fires: bool = True) -> dict[str, Any]:
    """ALERTS is the series that Prometheus itself writes."""
    query = f'ALERTS{{alertname="{name}",alertstate="firing"}}'
    labels = {"__name__": "ALERTS", "alertname": name, "alertstate": "firing", "severity": severity, **case.labels}
    shown = "{" + ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items() if key != "__name__") + "}"
    return {
        "interval": case.interval,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": case.fires_at,
                "exp_samples": [{"labels": "ALERTS" + shown, "value": 1}] if fires else [],
            },
            {"expr": query, "eval_time": case.resolved_at, "exp_samples": []},
        ],
    }


def test_promtool_finds_nothing(promtool: str) -> None:
    """The file is one that a plain Prometheus loads, and promtool's lint has no remark."""
    command = [promtool, "check", "rules", "--lint=all", "--lint-fatal", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_case_and_its_values() -> None:
    """An alert that is added can't stay untested or unconfigurable."""
    assert set(CASES) == set(ALERTS) == set(VALUES["alerts"])


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_the_alert_fires_and_resolves(promtool: str, tmp_path: Path, name: str) -> None:
    """It fires with the labels that a person needs, for that and nothing else, and is quiet when the cause is gone."""
    severity = ALERTS[name]["labels"]["severity"]
    assert evaluate(promtool, tmp_path, GROUPS, alert_test(name, CASES[name], severity)) == ""


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_the_alert_says_what_to_do(name: str) -> None:
    """Summary, description, remedy, severity and `for`."""
    rule = ALERTS[name]
    assert set(rule["annotations"]) == {"summary", "description", "remedy"}
    assert all(len(text) > 20 for text in rule["annotations"].values())
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert re.fullmatch(r"\d+[smh]", rule["for"])


def test_recorded_costs_are_dollars_in_the_past_hour(promtool: str, tmp_path: Path) -> None:
    """
    By workload, namespace, team, model and in all.  A pod that calls once counts; what was spent before does not, nor when the agent
    restarts, nor when Prometheus was away for an hour.
    """
    labels = 'cluster="c",namespace="{}",workload_kind="Deployment",workload="w",team="t",provider="p",model="m"'
    a, b = labels.format("a"), labels.format("b")
    series = {
        f'podtab_cost_usd_total{{{a},pod="steady"}}': "100x300",
        f'podtab_cost_usd_total{{{a},pod="once"}}': "_x270 7x30",
        f'podtab_cost_usd_total{{{b},pod="restarted"}}': "40x270 2x30",
        f'podtab_cost_usd_total{{{b},pod="gap"}}': "1000x200 _x55 1000x45",
    }
    expected = {
        "cluster:podtab_cost_usd:per_hour": [("", 9.0)],
        "namespace:podtab_cost_usd:per_hour": [('namespace="a"', 7.0), ('namespace="b"', 2.0)],
        "workload:podtab_cost_usd:per_hour": [
            (f'namespace="{name}",workload_kind="Deployment",workload="w"', value)
            for name, value in (("a", 7), ("b", 2))
        ],
        "team:podtab_cost_usd:per_hour": [('team="t"', 9.0)],
        "model:podtab_cost_usd:per_hour": [('provider="p",model="m"', 9.0)],
        "podtab:cost_usd:per_hour": [(a.removeprefix('cluster="c",'), 7.0), (b.removeprefix('cluster="c",'), 2.0)],
    }
    assert set(expected) == {rule["record"] for rule in RULES if "record" in rule}
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                # Extrapolation makes an increase of 2 a little more.
                "expr": f"round({record}, 0.5)",
                "eval_time": "295m",
                "exp_samples": [
                    {"labels": "{" + ",".join(filter(None, ('cluster="c"', more))) + "}", "value": value}
                    for more, value in samples
                ],
            }
            for record, samples in expected.items()
        ],
    }
    assert evaluate(promtool, tmp_path, GROUPS, test) == ""


def test_rules_are_about_metrics_that_exist() -> None:
    """A rule can't ask for a metric or event that the code does not have: it would be silent for ever."""
    known = {one.exposed_name for one in vars(metrics).values() if isinstance(one, metrics.Metric)}
    for rule in RULES:
        asked = set(re.findall(r"(?<![:\w])podtab_\w+", re.sub(r"\w+:podtab_cost_usd:per_hour", "", rule["expr"])))
        assert asked <= known, rule


# ------------------------------------------------------------------------------------------------------------- the chart


def test_the_charts_defaults_are_the_files(render: Render) -> None:
    """Rendered with default values, the PrometheusRule is rules/podtab.yaml, number by number."""
    assert rendered(render({"prometheusRule": {"mode": "always"}})) == GROUPS


def test_every_threshold_can_be_set(render: Render, promtool: str, tmp_path: Path) -> None:
    """Each number of the values stands in the rendered expression, with `for`, severity and more labels; promtool still takes it."""
    alerts: dict[str, Any] = {}
    for number, (name, default) in enumerate(VALUES["alerts"].items()):
        thresholds = {key: 0.125 + number for key in default if key not in {"enabled", "for", "severity"}}
        if "share" in thresholds:
            thresholds["share"] = number / 64
        alerts[name] = {"for": "7m", "severity": "page", **thresholds}
    values = {"prometheusRule": {"mode": "always", "alertLabels": {"team": "platform"}, "alerts": alerts}}
    groups = rendered(render(values))
    found = {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
    for name, wanted in alerts.items():
        assert found[name]["for"] == "7m"
        assert found[name]["labels"] == {"severity": "page", "team": "platform"}
        for key, value in wanted.items():
            if key not in {"for", "severity"}:
                assert f"> {value:g} # {key}" in found[name]["expr"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    subprocess.run([promtool, "check", "rules", str(tmp_path / "rules.yaml")], check=True, capture_output=True)


def test_a_raised_threshold_is_in_force(render: Render, promtool: str, tmp_path: Path) -> None:
    """The same spending that fires by default is quiet under a limit above it."""
    alerts = {"PodtabCostBurn": {"usdPerHour": 1_000_000}}
    groups = rendered(render({"prometheusRule": {"mode": "always", "alerts": alerts}}))
    test = alert_test("PodtabCostBurn", CASES["PodtabCostBurn"], "warning", fires=False)
    assert evaluate(promtool, tmp_path, groups, test) == ""


def test_an_alert_can_be_switched_off(render: Render) -> None:
    """And only that one goes."""
    values = {"prometheusRule": {"mode": "always", "alerts": {"PodtabAbsent": {"enabled": False}}}}
    names = {rule.get("alert") for group in rendered(render(values)) for rule in group["rules"]}
    assert set(ALERTS) - names == {"PodtabAbsent"}


def test_no_rule_where_the_operator_is_missing(render: Render) -> None:
    """auto makes a PrometheusRule where the cluster knows that kind, and never breaks an install elsewhere."""
    assert not [part for part in render() if part["kind"] == "PrometheusRule"]
    there = render({}, "--api-versions", "monitoring.coreos.com/v1/PrometheusRule")
    assert rendered(there) == GROUPS
