"""What is rendered over a matrix of values and of clusters, and what an upgrade may not change."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.conftest import CHART, RefusedError, Render

OPERATOR = tuple(
    option
    for kind in ("PodMonitor", "ServiceMonitor", "PrometheusRule")
    for option in ("--api-versions", f"monitoring.coreos.com/v1/{kind}")
)
RELEASED = sorted((Path(__file__).parent / "released").glob("*.yaml"))


def kinds(objects: list[dict[str, Any]]) -> set[str]:
    return {part["kind"] for part in objects}


def only(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [part for part in objects if part["kind"] == kind]
    return found


def scraped(objects: list[dict[str, Any]]) -> list[str]:
    """The ways in which Prometheus finds the agents."""
    annotations = only(objects, "DaemonSet")["spec"]["template"]["metadata"]["annotations"]
    marked = ["annotations"] if "prometheus.io/scrape" in annotations else []
    return sorted(kinds(objects) & {"PodMonitor", "ServiceMonitor"}) + marked


MODES = ("auto", "always", "never")


@pytest.mark.parametrize("operator", [False, True])
@pytest.mark.parametrize(("pods", "services"), [*itertools.product(MODES, MODES)])
def test_dollars_are_scraped_once(render: Render, pods: str, services: str, operator: bool) -> None:
    """In every mix of modes there is one way to be scraped, but where two were asked for by name."""
    values = {"podMonitor": {"mode": pods}, "serviceMonitor": {"mode": services}}
    ways = scraped(render(values, *(OPERATOR if operator else ())))
    if (pods, services) == ("always", "always"):
        assert ways == ["PodMonitor", "ServiceMonitor"]
    else:
        assert len(ways) == 1, ways


def test_a_service_monitor_needs_its_service(render: Render) -> None:
    """Asked for without a service it is refused with the key's name; in mode auto annotations stand in."""
    off = {"service": {"enabled": False}, "podMonitor": {"mode": "never"}}
    with pytest.raises(RefusedError, match=r"service\.enabled"):
        render(off | {"serviceMonitor": {"mode": "always"}})
    assert scraped(render(off | {"serviceMonitor": {"mode": "auto"}}, *OPERATOR)) == ["annotations"]


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_monitors_name_job_node_and_cluster(render: Render, kind: str) -> None:
    """What rules and dashboards ask for: job podtab, the agent's node, the cluster; the figures' own labels win."""
    values = {
        "podMonitor": {"mode": "always" if kind == "PodMonitor" else "never", "additionalLabels": {"release": "p"}},
        "serviceMonitor": {
            "mode": "always" if kind == "ServiceMonitor" else "never",
            "additionalLabels": {"release": "p"},
        },
        "config": {"cluster": "prod"},
    }
    monitor = only(render(values), kind)
    assert monitor["metadata"]["labels"]["release"] == "p"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints" if kind == "PodMonitor" else "endpoints"]
    assert endpoint["honorLabels"] is True
    assert {one["targetLabel"]: one.get("replacement") for one in endpoint["relabelings"]} == {
        "job": "podtab",
        "node": None,
        "cluster": "prod",
    }


@pytest.mark.parametrize(
    ("version", "field"), [("1.20.0", False), ("1.24.17", False), ("1.29.3", False), ("1.30.0", True), ("1.34.0", True)]
)
@pytest.mark.parametrize(
    ("security", "stated", "annotated"),
    [
        ({"profile": "privileged", "appArmorProfile": "RuntimeDefault"}, {"type": "Unconfined"}, "unconfined"),
        ({"profile": "least"}, {"type": "Unconfined"}, "unconfined"),
        ({"profile": "least", "appArmorProfile": "RuntimeDefault"}, {"type": "RuntimeDefault"}, "runtime/default"),
        (
            {"profile": "least", "appArmorProfile": "localhost/mine"},
            {"type": "Localhost", "localhostProfile": "mine"},
            "localhost/mine",
        ),
    ],
)
def test_seccomp_and_apparmor_are_stated(
    render: Render, version: str, field: bool, security: dict[str, str], stated: dict[str, str], annotated: str
) -> None:
    """By the field from Kubernetes 1.30 on, by the annotation before, never by both."""
    pod = only(render({"security": security}, "--kube-version", version), "DaemonSet")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    annotation = pod["metadata"]["annotations"].get("container.apparmor.security.beta.kubernetes.io/podtab")
    assert container["securityContext"].get("appArmorProfile") == (stated if field else None)
    assert annotation == (None if field else annotated)
    filtered = {"least": "RuntimeDefault", "privileged": "Unconfined"}[security["profile"]]
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": filtered}
    assert "hostNetwork" not in pod["spec"]


def egress_ports(render: Render, values: dict[str, Any]) -> list[list[int]]:
    policy = only(render(values), "NetworkPolicy")
    return [[port["port"] for port in rule["ports"]] for rule in policy["spec"]["egress"]]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://collector.monitoring:4318", 4318), ("https://otlp.example.com/v1", 443), ("http://[::1]:55", 55)],
)
def test_the_policy_opens_what_is_used(render: Render, endpoint: str, port: int) -> None:
    """The API server always; name service and collector where one is configured."""
    assert egress_ports(render, {"networkPolicy": {"enabled": True}}) == [[443, 6443]]
    values = {"networkPolicy": {"enabled": True}, "config": {"otlp": {"endpoint": endpoint}}}
    assert egress_ports(render, values) == [[443, 6443], [53, 53], [port]]


def test_a_policy_lets_the_test_pod_in(render: Render) -> None:
    """Where readers are named, `helm test` still reaches the agents, and the agents' own label never matches the test's pod."""
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    objects = render({"networkPolicy": {"enabled": True, "from": [peer]}})
    (rule,) = only(objects, "NetworkPolicy")["spec"]["ingress"]
    labels = only(objects, "Pod")["metadata"]["labels"]
    assert rule["from"][0] == peer
    assert rule["from"][1]["podSelector"]["matchLabels"].items() <= labels.items()
    selector = only(objects, "DaemonSet")["spec"]["selector"]["matchLabels"]
    assert not selector.items() <= labels.items()


def test_the_test_pod_is_harmless(render: Render) -> None:
    """Restricted by every rule of Pod Security, with the podtab image and nothing else."""
    objects = render({"security": {"profile": "privileged"}, "global": {"imageRegistry": "r.example"}})
    pod = only(objects, "Pod")["spec"]
    (container,) = pod["containers"]
    (agent,) = only(objects, "DaemonSet")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == agent["image"] == "r.example/podtab:0.1.0"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostPID", "hostNetwork", "volumes"} & set(pod)
    assert container["args"] == [(CHART / "files" / "ask_agents.py").read_text()]


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_an_upgrade_changes_nothing_immutable(render: Render, path: Path) -> None:
    """Against what earlier versions rendered: no object is renamed, no selector, role or cluster address changes."""
    now = {(part["kind"], part["metadata"]["name"]): part for part in render()}
    for old in filter(None, yaml.safe_load_all(path.read_text())):
        new = now[old["kind"], old["metadata"]["name"]]
        assert new["apiVersion"] == old["apiVersion"]
        if old["kind"] == "DaemonSet":
            assert new["spec"]["selector"] == old["spec"]["selector"]
        if old["kind"] == "Service":
            assert new["spec"]["clusterIP"] == old["spec"]["clusterIP"]
            assert new["spec"]["selector"] == old["spec"]["selector"]
        if old["kind"] == "ClusterRoleBinding":
            assert new["roleRef"] == old["roleRef"]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"prometheusRule": {"alerts": {"PodtabCostBurnt": {}}}}, "PodtabCostBurnt"),
        ({"prometheusRule": {"alerts": {"PodtabCostBurn": {"usdPerDay": 1}}}}, "usdPerDay"),
        ({"prometheusRule": {"alerts": {"PodtabBytesLost": {"share": 5}}}}, "share"),
        ({"prometheusRule": {"alerts": {"PodtabAbsent": {"for": "soon"}}}}, "for"),
        ({"networkPolicy": {"apiServer": {"ports": [0]}}}, "ports"),
        ({"networkPolicy": {"form": []}}, "form"),
        ({"security": {"appArmorProfile": "none"}}, "appArmorProfile"),
        ({"probes": {"liveness": {"period": 1}}}, "period"),
        ({"serviceMonitor": {"mode": "yes"}}, "mode"),
    ],
)
def test_wrong_values_are_named(render: Render, values: dict[str, Any], word: str) -> None:
    """The message has the key."""
    with pytest.raises(RefusedError, match=word):
        render(values)


def test_the_chart_says_what_artifact_hub_asks() -> None:
    """The image is the one that the defaults pull; changes are of this version; every list is one."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    told = {name.partition("/")[2]: text for name, text in chart["annotations"].items()}
    (image,) = yaml.safe_load(told["images"])
    assert image["image"] == f"{values['image']['repository']}:{chart['appVersion']}"
    assert all(set(link) == {"name", "url"} for link in yaml.safe_load(told["links"]))
    assert {change["kind"] for change in yaml.safe_load(told["changes"])} <= {"added", "changed", "security", "fixed"}
    assert f"Chart {chart['version']}" in (CHART.parents[1] / "CHANGELOG.md").read_text()


def test_the_schema_has_every_value() -> None:
    """And no more: what the schema takes has a default to be read in values.yaml."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert list(schema["properties"]) == list(yaml.safe_load((CHART / "values.yaml").read_text()))
