"""A real Prometheus in the node's network, told what to scrape by the chart's own PodMonitor or by the pods' annotations."""

from __future__ import annotations

import json
import sys
import urllib.parse
import urllib.request
from typing import Any

import yaml

from tests.cluster.node.discovery import TARGETS, clean
from tests.cluster.node.layout import NODE_IP, PROMETHEUS, ROOT, STATE
from tests.cluster.node.programs import PIDS, answers, spawn, wait

FOLDER = STATE / "prometheus"
_POD_PORT = "__meta_kubernetes_pod_container_port_name"
_ONLY_RUNNING = {
    "source_labels": ["__meta_kubernetes_pod_phase"],
    "regex": "Pending|Succeeded|Failed|Completed",
    "action": "drop",
}


def by_annotations(interval: str = "2s") -> dict[str, Any]:
    """The well-known scrape job for prometheus.io annotations, with honor_labels as the chart's notes ask."""
    annotation = "__meta_kubernetes_pod_annotation_prometheus_io"
    return _job(
        "kubernetes-pods",
        interval,
        [
            {"source_labels": [f"{annotation}_scrape"], "regex": "true", "action": "keep"},
            {"source_labels": [f"{annotation}_path"], "regex": "(.+)", "target_label": "__metrics_path__"},
            {
                "source_labels": ["__meta_kubernetes_pod_ip", f"{annotation}_port"],
                "regex": "(.+);(.+)",
                "replacement": "$1:$2",
                "target_label": "__address__",
            },
        ],
    )


def by_pod_monitor(monitor: dict[str, Any], interval: str = "2s") -> dict[str, Any]:
    """As the operator does it: the selector's labels, the named port, the endpoint's own relabelings."""
    endpoint = monitor["spec"]["podMetricsEndpoints"][0]
    keep = [
        {
            "source_labels": [f"__meta_kubernetes_pod_label_{clean(name)}"],
            "regex": value,
            "action": "keep",
        }
        for name, value in monitor["spec"]["selector"]["matchLabels"].items()
    ]
    keep.append({"source_labels": [_POD_PORT], "regex": endpoint["port"], "action": "keep"})
    job = _job(f"podMonitor/{monitor['metadata']['namespace']}/{monitor['metadata']['name']}", interval, keep)
    job["metrics_path"] = endpoint.get("path", "/metrics")
    job["honor_labels"] = endpoint.get("honorLabels", False)
    renamed = {
        "sourceLabels": "source_labels",
        "targetLabel": "target_label",
        "regex": "regex",
        "replacement": "replacement",
        "action": "action",
        "separator": "separator",
    }
    for rule in endpoint.get("relabelings", []):
        job["relabel_configs"].append({renamed[key]: value for key, value in rule.items()})
    dropped = [{renamed[k]: v for k, v in rule.items()} for rule in endpoint.get("metricRelabelings", [])]
    if dropped:
        job["metric_relabel_configs"] = dropped
    return job


def _job(name: str, interval: str, keep: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "job_name": name,
        "honor_labels": True,
        "scrape_interval": interval,
        "scrape_timeout": interval,
        "file_sd_configs": [{"files": [str(TARGETS)]}],
        "relabel_configs": [
            _ONLY_RUNNING,
            *keep,
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
            {"source_labels": ["__meta_kubernetes_pod_node_name"], "target_label": "node"},
        ],
    }


def start(job: dict[str, Any], rules: dict[str, Any] | None = None) -> None:
    """Starts it, or lets the one that runs read its configuration again."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = []
    if rules is not None:
        (FOLDER / "rules.yaml").write_text(yaml.safe_dump(rules))
        files = [str(FOLDER / "rules.yaml")]
    config = {"global": {"evaluation_interval": "2s"}, "rule_files": files, "scrape_configs": [job]}
    (FOLDER / "prometheus.yaml").write_text(yaml.safe_dump(config))
    if (PIDS / "prometheus").exists() and answers(f"{PROMETHEUS}/-/ready"):
        with urllib.request.urlopen(urllib.request.Request(f"{PROMETHEUS}/-/reload", method="POST"), timeout=10):
            return
    spawn("discovery", [sys.executable, "-m", "tests.cluster.node.discovery"], folder=ROOT)
    spawn(
        "prometheus",
        [
            "prometheus",
            f"--config.file={FOLDER / 'prometheus.yaml'}",
            f"--storage.tsdb.path={FOLDER / 'data'}",
            f"--web.listen-address={NODE_IP}:9090",
            "--web.enable-lifecycle",
            "--query.lookback-delta=1m",
        ],
    )
    wait("Prometheus", lambda: answers(f"{PROMETHEUS}/-/ready"), "prometheus")


def query(expression: str, at: float | None = None) -> list[dict[str, Any]]:
    """The result vector (a scalar becomes one sample without labels)."""
    parameters = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
    url = f"{PROMETHEUS}/api/v1/query?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=20) as response:
        data = json.load(response)["data"]
    if data["resultType"] == "scalar":
        return [{"metric": {}, "value": data["result"]}]
    return list(data["result"])


def page(match: str = '{__name__=~"podtab_.*"}') -> str:
    """What it last scraped, in the text format, with the labels that it stores."""
    url = f"{PROMETHEUS}/federate?{urllib.parse.urlencode({'match[]': match})}"
    with urllib.request.urlopen(url, timeout=20) as response:
        return str(response.read().decode())


def alerts() -> dict[str, str]:
    """Name → state (pending, firing) of those that are not inactive."""
    with urllib.request.urlopen(f"{PROMETHEUS}/api/v1/alerts", timeout=20) as response:
        found = json.load(response)["data"]["alerts"]
    return {alert["labels"]["alertname"]: alert["state"] for alert in found}


def rules() -> dict[str, str]:
    """Name of every rule → its health."""
    with urllib.request.urlopen(f"{PROMETHEUS}/api/v1/rules", timeout=20) as response:
        groups = json.load(response)["data"]["groups"]
    return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
