"""The chart: clean under lint, strict about values, and its configuration is one that the agent takes."""

from __future__ import annotations

import itertools
import json
import subprocess
from typing import Any

import pytest
import yaml

from agent import __version__, config_reference
from agent.config import Config, LogFormat, NameSource, loads
from tests.charts.conftest import CHART, RefusedError, Render


def only(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [part for part in objects if part["kind"] == kind]
    return found


def container(objects: list[dict[str, Any]]) -> dict[str, Any]:
    pod: dict[str, Any] = only(objects, "DaemonSet")["spec"]["template"]["spec"]
    (found,) = pod["containers"]
    return dict(found)


def test_lint_is_clean(helm: str) -> None:
    """`helm lint --strict` has no warning and no error."""
    done = subprocess.run([helm, "lint", "--strict", str(CHART)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout
    assert "[ERROR]" not in done.stdout


# Every pair of settings stands in one of these.
MATRIX = [
    {
        "security": {"profile": "least" if least else "privileged"},
        "podMonitor": {"mode": "always" if monitor else "auto"},
        "dashboards": {"enabled": least == monitor},
        "rbac": {"create": rbac},
        "service": {"enabled": rbac == least},
    }
    for least, monitor, rbac in itertools.product((False, True), repeat=3)
]


@pytest.mark.parametrize("values", MATRIX, ids=lambda values: json.dumps(values)[:120])
def test_every_mix_of_values_renders(render: Render, values: dict[str, Any]) -> None:
    """Each object has a kind and a name, no two are the same, and what is switched off is not there."""
    objects = render(values)
    names = [(part["kind"], part["metadata"]["name"]) for part in objects]
    assert len(set(names)) == len(names)
    kinds = {kind for kind, _ in names}
    assert ("ClusterRole" in kinds) == values["rbac"]["create"]
    assert ("Service" in kinds) == values["service"]["enabled"]
    assert ("PodMonitor" in kinds) == (values["podMonitor"]["mode"] == "always")
    assert {"DaemonSet", "ServiceAccount", "ConfigMap"} <= kinds


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"secruity": {"profile": "least"}}, "secruity"),
        ({"security": {"profile": "lest"}}, "profile"),
        ({"image": {"tga": "1"}}, "tga"),
        ({"image": {"digest": "sha256:short"}}, "digest"),
        ({"port": 0}, "port"),
        ({"port": "9464"}, "port"),
        ({"config": {"captrue": {}}}, "captrue"),
        ({"config": {"capture": {"links": "kprobe"}}}, "links"),
        ({"config": {"capture": {"ring_bytes": "16MB"}}}, "ring_bytes"),
        ({"config": {"attribution": {"labels": {"team": "team"}}}}, "team"),
        ({"config": {"listen": ":1"}}, "listen"),
        ({"resources": {"limit": {}}}, "limit"),
        ({"podMonitor": {"mode": True}}, "mode"),
        ({"serviceAccount": {"create": "yes"}}, "create"),
    ],
)
def test_the_schema_names_a_wrong_value(render: Render, values: dict[str, Any], word: str) -> None:
    """A misspelt key or a wrong type stops the install, and the message names the key."""
    with pytest.raises(RefusedError, match=word):
        render(values)


def test_the_schema_is_strict_everywhere() -> None:
    """No object of the schema takes unknown keys, but for those that go to Kubernetes as they are."""
    free = {"affinity", "global"}

    def walk(part: Any, path: tuple[str, ...]) -> None:
        if not isinstance(part, dict):
            return
        if part.get("type") == "object" and path[-1:] != ("items",) and not free & set(path):
            assert "additionalProperties" in part, path
        for name, below in part.items():
            walk(below, (*path, name))

    walk(json.loads((CHART / "values.schema.json").read_text()), ())


def test_the_schema_follows_the_code() -> None:
    """`make docs` would change nothing: the schema of `config` is that of agent/config.py."""
    text = (CHART / "values.schema.json").read_text(encoding="utf-8")
    assert config_reference.renew(text) == text


def test_the_default_configuration_is_the_agents_own(render: Render) -> None:
    """The ConfigMap's file loads, and differs from the defaults only where a cluster must."""
    (text,) = [part["data"]["podtab.yaml"] for part in render() if "podtab.yaml" in (part.get("data") or {})]
    config, default = loads(text, environ={"NODE_NAME": "n"}), loads("", environ={"NODE_NAME": "n"})
    assert config.attribution.source is NameSource.IN_CLUSTER
    assert config.logging.format is LogFormat.JSON
    differing = {name for name in Config.__dataclass_fields__ if getattr(config, name) != getattr(default, name)}
    assert differing == {"attribution", "logging"}
    assert config.attribution.labels == default.attribution.labels
    assert config.capture == default.capture


def test_numbers_reach_the_agent_as_numbers(render: Render) -> None:
    """Helm reads numbers as floats and may write 2e+07; the agent must still get what was meant."""
    values = {
        "port": 19464,
        "config": {
            "core": {"max_connections": 1_000_000},
            "capture": {"ring_bytes": 33_554_432, "poll_interval_ms": 5},
            "selection": {"pod_labels": {"tier": "1"}},
        },
    }
    (text,) = [part["data"]["podtab.yaml"] for part in render(values) if "podtab.yaml" in (part.get("data") or {})]
    config = loads(text)
    assert (config.listen_port, config.core.max_connections) == (19464, 1_000_000)
    assert (config.capture.ring_bytes, config.capture.poll_interval_ms) == (32 * 1024**2, 5)
    assert config.selection.pod_labels == {"tier": "1"}


def test_least_privileges_are_four_capabilities(render: Render) -> None:
    """Profile least: BPF, PERFMON, SYS_PTRACE, and NET_ADMIN for packets, no more; no escalation, seccomp on, nothing of the host mounted."""
    objects = render({"security": {"profile": "least"}})
    context = container(objects)["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["BPF", "PERFMON", "SYS_PTRACE", "NET_ADMIN"]}
    assert context["privileged"] is False
    assert context["allowPrivilegeEscalation"] is False
    pod = only(objects, "DaemonSet")["spec"]["template"]["spec"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]


def test_who_sees_no_packets_needs_no_more(render: Render) -> None:
    """NET_ADMIN comes with capture.packets alone, and goes with it."""
    objects = render({"security": {"profile": "least"}, "config": {"capture": {"packets": False}}})
    assert container(objects)["securityContext"]["capabilities"]["add"] == ["BPF", "PERFMON", "SYS_PTRACE"]


@pytest.mark.parametrize("profile", ["least", "privileged"])
def test_both_profiles_keep_the_root_read_only(render: Render, profile: str) -> None:
    """Nothing in the image can be changed, and the host's processes are visible."""
    objects = render({"security": {"profile": profile}})
    assert container(objects)["securityContext"]["readOnlyRootFilesystem"] is True
    assert only(objects, "DaemonSet")["spec"]["template"]["spec"]["hostPID"] is True


def test_rights_are_read_only(render: Render) -> None:
    """The ClusterRole has get, list and watch, and no secrets."""
    for rule in only(render(), "ClusterRole")["rules"]:
        assert set(rule["verbs"]) <= {"get", "list", "watch"}
        assert set(rule["resources"]) <= {"pods", "namespaces", "replicasets", "jobs"}


def test_one_way_to_be_scraped(render: Render) -> None:
    """Annotations without the operator, a PodMonitor with it, never both: dollars would count twice."""
    plain = only(render(), "DaemonSet")["spec"]["template"]["metadata"]["annotations"]
    assert plain["prometheus.io/scrape"] == "true"
    objects = render({}, "--api-versions", "monitoring.coreos.com/v1/PodMonitor")
    assert "prometheus.io/scrape" not in only(objects, "DaemonSet")["spec"]["template"]["metadata"]["annotations"]
    (endpoint,) = only(objects, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True


def test_a_changed_configuration_restarts_the_agents(render: Render) -> None:
    """The pod template carries the configuration's hash."""

    def checksum(values: dict[str, Any]) -> str:
        found = only(render(values), "DaemonSet")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return str(found)

    assert checksum({}) != checksum({"config": {"cluster": "prod"}})
    assert checksum({}) == checksum({"podLabels": {"a": "b"}})


def test_the_image_is_the_charts_version() -> None:
    """Chart, image and package are of one version."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


def test_a_digest_wins_over_the_tag(render: Render) -> None:
    """A pinned image stays pinned."""
    digest = "sha256:" + "0" * 64
    image = container(render({"image": {"repository": "r.example/podtab", "tag": "x", "digest": digest}}))["image"]
    assert image == f"r.example/podtab@{digest}"
