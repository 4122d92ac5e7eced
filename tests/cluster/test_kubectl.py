"""The plugin through a real API server's pod proxy, with rights that are given and that are not."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from agent.sinks.http import HttpServer
from tests.cluster.api_server import ADMIN, ApiServer
from tests.top.pages import CHECKOUT, VLLM, Agent

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
NAMESPACE = "plugin"


def own_address() -> str:
    """Of this machine, not loopback: the API server refuses to proxy to that.  Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@pytest.fixture(scope="module")
def agents(server: ApiServer) -> Iterator[list[Agent]]:
    server.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    made, servers = [], []
    for place in (1, 2):
        agent = Agent()
        agent.priced(CHECKOUT, place)
        agent.unpriced(VLLM, place)
        web = HttpServer(own_address(), 0, agent.registry, healthy=str, ready=str)
        web.start()
        made.append(agent)
        servers.append(web)
        ports = [{"name": "metrics", "containerPort": web.server_port}]
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        body = {
            "metadata": {"name": f"podtab-{place}", "labels": {"app.kubernetes.io/name": "podtab"}},
            "spec": {"nodeName": f"worker-{place}", "containers": [{"name": "podtab", "image": "x", "ports": ports}]},
        }
        server.call("POST", path, body)
        status = {"phase": "Running", "podIP": own_address(), "podIPs": [{"ip": own_address()}]}
        server.call("PATCH", f"{path}/podtab-{place}/status", {"status": status})
    yield made
    for web in servers:
        web.shutdown()
        web.server_close()


def podtab(server: ApiServer, *arguments: str, admin: bool = True) -> subprocess.CompletedProcess[str]:
    config = yaml.safe_load(server.kubeconfig.read_text())
    if admin:
        config["users"][0]["user"]["token"] = ADMIN
    file = server.folder / f"kubeconfig-{'admin' if admin else 'agent'}"
    file.write_text(yaml.safe_dump(config))
    command = [
        sys.executable,
        "-c",
        "from agent.kubectl.cli import main; main()",
        *arguments,
        "--kubeconfig",
        str(file),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)


def test_sums_over_all_nodes(server: ApiServer, agents: list[Agent]) -> None:
    """Through the proxy, of both agents; cost and what has no price."""
    said = podtab(server, "top", "-A", "--json")
    assert (said.returncode, said.stderr) == (0, "")
    pods = {row["pod"]: row for row in json.loads(said.stdout)["pods"]}
    assert (pods["checkout-1"]["calls"], pods["checkout-1"]["cost_usd"]) == (3, pytest.approx(3 * 0.00024))
    assert (pods["vllm-client-0"]["cost_usd"], pods["vllm-client-0"]["unpriced"]) == (None, {"unknown_provider": 3})


def test_without_the_right_the_rule_is_named(server: ApiServer, agents: list[Agent]) -> None:
    """The agent's own user may list pods and not use the proxy: nothing is known, and both nodes are named."""
    said = podtab(server, "top", "-A", admin=False)
    assert said.returncode == 3
    assert '"get" on "pods/proxy" in namespace plugin' in said.stdout
    assert "worker-1, worker-2" in said.stdout


def test_the_documents_rule_is_enough(server: ApiServer, agents: list[Agent]) -> None:
    """Bound in the agents' namespace only, as docs/kubectl.md says."""
    page = (ROOT / "docs" / "kubectl.md").read_text()
    role = next(one for one in yaml.safe_load_all(page.split("```yaml\n")[1].split("```")[0]) if one["rules"])
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    server.call("POST", f"{rbac}/clusterroles", role)
    binding = {
        "metadata": {"name": "viewers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role["metadata"]["name"]},
        "subjects": [{"kind": "User", "name": "agent", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    path = f"{rbac}/namespaces/{NAMESPACE}/rolebindings"
    server.call("POST", path, binding)
    try:
        said = podtab(server, "top", "-A", "--agent-namespace", NAMESPACE, "--json", admin=False)
    finally:
        try:
            server.call("DELETE", f"{path}/viewers")
        except urllib.error.HTTPError as error:
            error.close()
            raise
    assert said.returncode == 0
    assert json.loads(said.stdout)["agents_answered"] == 2


def test_an_agent_that_is_gone_makes_the_sum_partial(server: ApiServer, agents: list[Agent]) -> None:
    """Named with its node; the others' figures are there."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    ports = [{"name": "metrics", "containerPort": 9}]
    body = {
        "metadata": {"name": "podtab-3", "labels": {"app.kubernetes.io/name": "podtab"}},
        "spec": {"nodeName": "worker-3", "containers": [{"name": "podtab", "image": "x", "ports": ports}]},
    }
    server.call("POST", path, body)
    status = {"phase": "Running", "podIP": own_address(), "podIPs": [{"ip": own_address()}]}
    server.call("PATCH", f"{path}/podtab-3/status", {"status": status})
    try:
        said = podtab(server, "top", "-A")
    finally:
        server.call("DELETE", f"{path}/podtab-3?gracePeriodSeconds=0")
    assert said.returncode == 3
    assert "2 of 3 nodes (partial)" in said.stdout
    assert "worker-3: plugin/podtab-3: the API server can't reach it" in said.stdout


@pytest.mark.skipif(not shutil.which("prometheus"), reason="no Prometheus")
def test_the_figures_are_prometheus(server: ApiServer, agents: list[Agent], tmp_path: Path) -> None:
    """A real Prometheus that scrapes the same agents has the same cost per pod."""
    items = server.call("GET", f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
    targets = [f"{own_address()}:{one['spec']['containers'][0]['ports'][0]['containerPort']}" for one in items]
    scrape = {
        "job_name": "podtab",
        "scrape_interval": "1s",
        "honor_labels": True,
        "static_configs": [{"targets": targets}],
    }
    (tmp_path / "p.yml").write_text(yaml.safe_dump({"scrape_configs": [scrape]}))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    options = [
        f"--config.file={tmp_path}/p.yml",
        f"--storage.tsdb.path={tmp_path}/db",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    query = urllib.parse.quote("sum by (namespace, pod) (podtab_cost_usd_total)")
    with subprocess.Popen(["prometheus", *options], stderr=subprocess.DEVNULL) as process:
        try:
            found: list[dict[str, object]] = []
            deadline = time.monotonic() + 40
            while not found or float(found[0]["value"][1]) < 3 * 0.00023:  # type: ignore[index]
                assert time.monotonic() < deadline, "Prometheus did not scrape"
                time.sleep(0.5)
                try:
                    with urllib.request.urlopen(
                        f"http://127.0.0.1:{port}/api/v1/query?query={query}", timeout=5
                    ) as answer:
                        found = json.load(answer)["data"]["result"]
                except OSError:
                    continue
        finally:
            process.kill()
    theirs = {(one["metric"]["namespace"], one["metric"]["pod"]): float(one["value"][1]) for one in found}  # type: ignore[index]
    rows = json.loads(podtab(server, "top", "-A", "--json").stdout)["pods"]
    assert {(row["namespace"], row["pod"]): row["cost_usd"] for row in rows if row["cost_usd"] is not None} == theirs
