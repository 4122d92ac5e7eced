"""A real API server takes every object of the chart, field by field, and an upgrade of the chart before."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.conftest import Render
from tests.charts.test_objects import RELEASED
from tests.cluster.api_server import ADMIN, ApiServer
from tests.cluster.conftest import server

__all__ = ["server"]

pytestmark = pytest.mark.cluster

# Kinds of the Prometheus operator, which a bare API server does not know: tests/charts/test_objects.py looks at them.
_CUSTOM = {"PodMonitor", "ServiceMonitor", "PrometheusRule"}

FULL: dict[str, Any] = {
    "config": {"cluster": "prod", "otlp": {"endpoint": "https://otlp.example.com"}},
    "networkPolicy": {
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "apiServer": {"cidrs": ["10.0.0.1/32", "fd00::1/128"]},
        "otlp": {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
        "extraEgress": [{"ports": [{"port": 9000, "protocol": "TCP"}]}],
    },
    "image": {"digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "extraEnv": [{"name": "A", "value": "b"}],
    "extraVolumes": [{"name": "headers", "secret": {"secretName": "headers"}}],
    "extraVolumeMounts": [{"name": "headers", "mountPath": "/etc/headers", "readOnly": True}],
    "priorityClassName": "system-node-critical",
    "podLabels": {"a": "b"},
    "podAnnotations": {"c": "d"},
    "nodeSelector": {"e": "f"},
    "affinity": {"nodeAffinity": {}},
    "serviceAccount": {"annotations": {"g": "h"}},
    "dashboards": {"annotations": {"grafana_folder": "AI cost"}},
    "nameOverride": "name",
    "fullnameOverride": "n" * 63,
}


def apply(server: ApiServer, objects: list[dict[str, Any]], *options: str) -> str:
    """kubectl's complaint; "" is nothing."""
    address = [f"--server=https://127.0.0.1:{server.port}", f"--token={ADMIN}", "--insecure-skip-tls-verify"]
    command = ["kubectl", *address, "--kubeconfig=/dev/null", "apply", "--validate=strict", "-f", "-", *options]
    text = yaml.safe_dump_all([part for part in objects if part["kind"] not in _CUSTOM])
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    # The API server says this of its own default in every headless service.
    said = [line for line in done.stderr.splitlines() if "SessionAffinity is ignored" not in line]
    return "\n".join(said) or ("" if done.returncode == 0 else done.stdout)


@pytest.fixture
def namespace(server: ApiServer) -> str:
    """The one that the chart is rendered into."""
    name = "ai-cost"
    try:
        server.call("GET", f"/api/v1/namespaces/{name}")
    except OSError:
        server.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


@pytest.mark.parametrize(
    ("profile", "app_armor", "policy", "full"),
    [*itertools.product(("privileged", "least"), ("Unconfined", "localhost/mine"), (False, True), (False, True))],
)
def test_the_api_server_takes_every_object(
    server: ApiServer, namespace: str, render: Render, profile: str, app_armor: str, policy: bool, full: bool
) -> None:
    """Strictly: an unknown field, a wrong type or a deprecated one is a failure."""
    values = dict(FULL) if full else {}
    values |= {
        "security": {"profile": profile, "appArmorProfile": app_armor},
        "networkPolicy": values.get("networkPolicy", {}) | {"enabled": policy},
        "prometheusRule": {"mode": "always"},
    }
    objects = render(values, "--kube-version", "1.34.0")
    assert apply(server, objects, "--dry-run=server") == ""


def test_the_api_server_is_strict(server: ApiServer, namespace: str, render: Render) -> None:
    """So that the test above can fail."""
    objects = render({"podLabels": {"a": "b"}, "tolerations": [{"operater": "Exists"}]}, "--kube-version", "1.34.0")
    assert "operater" in apply(server, objects, "--dry-run=server")


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_an_upgrade_is_taken(server: ApiServer, namespace: str, render: Render, path: Path) -> None:
    """What an earlier version made is there for real, and today's objects go over it."""
    before = [part for part in yaml.safe_load_all(path.read_text()) if part]
    assert apply(server, before) == ""
    after = [part for part in render({}, "--kube-version", "1.34.0") if part["kind"] != "Pod"]
    assert apply(server, after) == ""
