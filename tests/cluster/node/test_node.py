"""
The product on a whole real node: the DaemonSet's own pod captures, and what Prometheus holds equals the fake provider's books.

One story in order, as an operator lives it: refused, installed, updated to the least privileges, disturbed, removed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from agent.capture.mappings import UNHEARD
from agent.demo import scrape
from agent.demo.agreement import Agreement, compare, served_figures
from agent.demo.pods import Pod
from charts.dashboards.queries import queries
from tests.cluster.node import cluster, programs, prometheus, workloads
from tests.cluster.node.cluster import AGENT_NAMESPACE, eventually, get, helm, kubectl
from tests.cluster.node.layout import KUBECONFIG, ROOT
from tests.cluster.node.workloads import CAST, Workload

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

CRDS = ("podmonitors", "servicemonitors", "prometheusrules")
# A service that goes on calling while things happen to the agent.
STEADY = Workload(
    namespace="shop", kind="Deployment", name="steady", team="web", script="openai_sync.py", steps=("chat", "stream")
)


def agreement(pods: Sequence[Pod], since: int) -> Agreement:
    """What Prometheus stores, against the books from that line on."""
    captured = scrape.read(prometheus.page(), pods)
    served = served_figures(workloads.read_books()[since:])
    return compare([pod.name for pod in pods], served, captured.figures, captured.misnamed)


def assert_equal(pods: Sequence[Pod], since: int = 0) -> None:
    """Not a figure differs, seconds later.  ``since``: how long the books were when the agent's own count began at 0."""
    last: list[Agreement] = []

    def equal() -> bool:
        last[:] = [agreement(pods, since)]
        return last[0].share == 1.0

    try:
        eventually("Prometheus to agree with the books", equal, seconds=45)
    except AssertionError:
        raise AssertionError(f"differs: {last[0].differences}") from None


def agent_pod() -> str:
    (pod,) = [p for p in get("pods", "-n", AGENT_NAMESPACE)["items"] if "deletionTimestamp" not in p["metadata"]]
    return str(pod["metadata"]["name"])


def agent_ready() -> bool:
    status = get("daemonset", "podtab", "-n", AGENT_NAMESPACE)["status"]
    return bool(
        status.get("numberReady", 0) == status["desiredNumberScheduled"] == status.get("updatedNumberScheduled")
    )


def test_a_namespace_that_does_not_allow_it_refuses_the_agent() -> None:
    """Pod Security admission is in force; the namespace's label is not an ornament."""
    told = helm("install", "podtab", str(ROOT / "charts" / "podtab"), "-n", "plain", "--create-namespace")
    assert "pod-security.kubernetes.io/enforce" in told, "the notes say what is needed"
    eventually(
        "a refusal by Pod Security",
        lambda: "PodSecurity" in kubectl("-n", "plain", "get", "events", "-o", "jsonpath={.items[*].message}"),
    )
    helm("uninstall", "podtab", "-n", "plain", "--wait")


def test_privileged_profile_counts_every_cent() -> None:
    """Without the Prometheus operator: annotations lead Prometheus to the agent; cost per pod equals the books."""
    workloads.make_namespaces()
    workloads.start_provider()
    told = cluster.install("privileged")
    assert "PodMonitor" in told, "the notes say which way Prometheus comes"
    prometheus.start(prometheus.by_annotations())
    assert_equal(workloads.run(CAST))


def test_names_are_those_of_the_api_server() -> None:
    """Two namespaces, their teams, six kinds of owners."""
    found = {
        (row["metric"]["namespace"], row["metric"]["workload_kind"], row["metric"]["workload"], row["metric"]["team"])
        for row in prometheus.query("sum by (namespace, workload_kind, workload, team) (podtab_calls_total)")
    }
    assert {(one.namespace, one.kind, one.name, one.team) for one in CAST} <= found


def test_kubectl_plugin_says_what_prometheus_says() -> None:
    """Over the API server's proxy, with the user's own rights: the same cost for every pod."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["kubectl", "podtab", "top", "-A", "--json", "--kubeconfig", str(KUBECONFIG)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    rows = {row["pod"]: Decimal(str(row["cost_usd"])) for row in json.loads(done.stdout)["pods"]}
    stored = {
        row["metric"]["pod"]: Decimal(row["value"][1])
        for row in prometheus.query('sum by (pod) (podtab_cost_usd_total{pod!=""})')
    }
    assert len(stored) >= len(CAST)
    assert {pod: round(rows[pod], 9) for pod in stored} == {pod: round(cost, 9) for pod, cost in stored.items()}


def test_every_panel_of_every_dashboard_has_data() -> None:
    """The dashboards that are shipped, each query as Grafana would send it.  A rate needs a second scrape."""
    missing = [
        (f"{path.stem}: {panel}", expression)
        for path in sorted((ROOT / "charts" / "podtab" / "dashboards").glob("*.json"))
        for panel, expression in queries(json.loads(path.read_text()), {"__rate_interval": "1m", "__range": "10m"})
    ]
    assert missing

    def all_have_data() -> bool:
        missing[:] = [(panel, expression) for panel, expression in missing if not prometheus.query(expression)]
        return not missing

    try:
        eventually("data in every panel", all_have_data, seconds=30)
    except AssertionError:
        told = "\n".join(f"{panel}: {expression}" for panel, expression in missing)
        raise AssertionError(f"no data in\n{told}") from None


def test_operator_kinds_are_taken_up_and_the_least_profile_captures_too() -> None:
    """
    With the operator's real CRDs an upgrade adds PodMonitor and rules; capabilities BPF, NET_ADMIN, PERFMON, SYS_PTRACE and nothing else.

    They are enough, beside the runtime's system call filter, to be told of mappings and to ask sockets for the other end.
    """
    module = subprocess.run(
        ["go", "mod", "download", "-json", "github.com/prometheus-operator/prometheus-operator@v0.83.0"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    folder = json.loads(module.stdout)["Dir"] + "/example/prometheus-operator-crd"
    for crd in CRDS:
        kubectl("create", "-f", f"{folder}/monitoring.coreos.com_{crd}.yaml")
        kubectl("wait", "--for=condition=Established", f"crd/{crd}.monitoring.coreos.com")
    cluster.install("least", upgrade=True)
    eventually("the new agent", agent_ready)
    context = get("pod", agent_pod(), "-n", AGENT_NAMESPACE)["spec"]["containers"][0]["securityContext"]
    assert sorted(context["capabilities"]["add"]) == ["BPF", "NET_ADMIN", "PERFMON", "SYS_PTRACE"]
    monitor = get("podmonitor", "podtab", "-n", AGENT_NAMESPACE)
    rules = get("prometheusrule", "podtab", "-n", AGENT_NAMESPACE)
    prometheus.start(prometheus.by_pod_monitor(monitor), rules["spec"])
    eventually("the new agent's figures", lambda: prometheus.query("podtab_build_info"))
    # Pods of a StatefulSet have the names that they had before.
    already = len(workloads.read_books())
    assert_equal(workloads.run(CAST), since=already)
    assert UNHEARD not in kubectl("logs", agent_pod(), "-n", AGENT_NAMESPACE)
    eventually("a peer's address", lambda: prometheus.query('podtab_connection_peers_total{how="given"} > 0'))


def test_the_image_says_what_is_in_it() -> None:
    """A bill of materials of Debian's and Python's packages; no compiler but BCC's own, no package installer."""
    inside = ("exec", "-n", AGENT_NAMESPACE, agent_pod(), "--")
    bill = json.loads(kubectl(*inside, "cat", "/usr/share/podtab/sbom.cdx.json"))
    purls = {one["purl"].split("@")[0] for one in bill["components"]}
    assert {"pkg:deb/debian/python3-bpfcc", "pkg:pypi/podtab", "pkg:pypi/genai-prices"} <= purls
    tools = "gcc cc clang ld as make pip pip3 curl wget"
    found = kubectl(*inside, "sh", "-c", f"for one in {tools}; do command -v $one; done; true").split()
    assert found == []


def test_every_rule_evaluates() -> None:
    """A real Prometheus takes them all, and none of them fails."""
    eventually("rules evaluated", lambda: set(prometheus.rules().values()) == {"ok"}, seconds=30)


def test_an_alert_fires_and_resolves() -> None:
    """The cluster spends more than a threshold of next to nothing; then the threshold is mended."""
    for dollars, wanted in (("0.000001", True), ("1000000", False)):
        cluster.install(
            "least", f'prometheusRule.alerts.PodtabCostBurn={{"for": "2s", "usdPerHour": {dollars}}}', upgrade=True
        )
        rules = get("prometheusrule", "podtab", "-n", AGENT_NAMESPACE)
        prometheus.start(prometheus.by_pod_monitor(get("podmonitor", "podtab", "-n", AGENT_NAMESPACE)), rules["spec"])
        eventually(
            f"the alert to be {'firing' if wanted else 'silent'}",
            lambda wanted=wanted: (prometheus.alerts().get("PodtabCostBurn") == "firing") is wanted,  # type: ignore[misc]
            seconds=60,
        )


def test_helm_test_passes() -> None:
    """What a person is told to run after the install."""
    told = helm("test", "podtab", "-n", AGENT_NAMESPACE, "--timeout", "120s")
    assert "Succeeded" in told


def test_pods_scaled_up_and_away() -> None:
    """1 → 30 → 0 pods of one image: every one of them is counted, by name."""
    many = Workload(
        namespace="shop", kind="Deployment", name="many", team="web", script="openai_sync.py", steps=("chat",)
    )
    workloads.remove([many])
    cluster.apply(workloads.manifest(many, rounds=1))
    workloads.finished(many)
    kubectl("-n", "shop", "scale", "deployment/many", "--replicas=30")
    assert_equal(workloads.finished(many, 30))
    kubectl("-n", "shop", "scale", "deployment/many", "--replicas=0")
    eventually("no pods", lambda: not workloads.pods_of(many))


def test_api_server_away_and_back() -> None:
    """Its absence costs no call and no name of a known pod; it is told in a metric, and everything recovers by itself."""
    workloads.remove([STEADY])
    cluster.apply(workloads.manifest(STEADY, rounds=60))
    eventually("its first calls", lambda: prometheus.query('podtab_calls_total{workload="steady"}'))
    programs.stop("kube-apiserver", signal.SIGKILL)
    try:
        # Prometheus finds its targets by the API server, and keeps those it has.
        eventually("the metric to say so", lambda: prometheus.query("podtab_api_server_reachable == 0"), seconds=60)
        time.sleep(10)
    finally:
        programs.start("kube-apiserver")
    eventually("the API server", lambda: kubectl("get", "--raw", "/readyz", check=False) == "ok")
    eventually("the watch", lambda: prometheus.query("podtab_api_server_reachable == 1"), seconds=90)
    assert_equal(workloads.finished(STEADY))


def test_a_killed_agent_comes_back_and_counts_on() -> None:
    """What was called while it was away is missing, what comes afterwards is not."""
    before = get("pod", agent_pod(), "-n", AGENT_NAMESPACE)["status"]["containerStatuses"][0]["restartCount"]
    for path in [p for p in map(str, os.listdir("/proc")) if p.isdigit()]:
        try:
            with open(f"/proc/{path}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if b"/etc/podtab/podtab.yaml" in words:
            os.kill(int(path), signal.SIGKILL)
    eventually(
        "a restart",
        lambda: (
            get("pod", agent_pod(), "-n", AGENT_NAMESPACE)["status"]["containerStatuses"][0]["restartCount"] > before
        ),
    )
    eventually("the agent ready again", agent_ready)
    assert_equal(workloads.run(CAST[:2]))


def test_a_drained_node_keeps_its_agent() -> None:
    """It tolerates everything: cost arises wherever pods still run."""
    node = get("nodes")["items"][0]["metadata"]["name"]
    name = agent_pod()
    kubectl("drain", node, "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=90s",
            "--pod-selector=app!=fake-provider")  # fmt: skip
    assert agent_pod() == name
    assert agent_ready()
    kubectl("uncordon", node)


def test_uninstalled_nothing_is_left() -> None:
    """No object with the release's label, of any kind, in any namespace."""
    helm("uninstall", "podtab", "-n", AGENT_NAMESPACE, "--wait")
    eventually("the agent's pod to go", lambda: not get("pods", "-n", AGENT_NAMESPACE)["items"])
    kinds = kubectl("api-resources", "--verbs=list", "-o", "name").split()
    selector = "app.kubernetes.io/instance=podtab"
    # Endpoints are deprecated, and kubectl says so; events are history.
    wanted = ",".join(kind for kind in kinds if not kind.startswith(("events", "endpoints.", "componentstatuses")))
    left = yaml.safe_load(kubectl("get", wanted, "-A", "-l", selector, "-o", "yaml"))["items"]
    assert [f"{one['kind']} {one['metadata']['name']}" for one in left] == []
