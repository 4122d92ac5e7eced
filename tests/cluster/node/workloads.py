"""The pods of the test: the demo's cast as Deployments, Jobs and StatefulSets, and the fake provider in a pod of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.demo import books, certificates
from agent.demo.books import Served
from agent.demo.pods import Pod
from tests.cluster.node.cluster import apply, eventually, get, kubectl
from tests.cluster.node.images import WORKLOADS
from tests.cluster.node.layout import PROVIDER_IP, STATE

PROVIDER_NAMESPACE = "provider"
SDKS = "/srv/.cache/demo"
_NODE_MODULES = f"{SDKS}/node/node_modules"
_PYTHON = f"{SDKS}/python/bin/python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """``kind`` as attribution must name it."""

    namespace: str
    kind: str
    name: str
    team: str
    script: str
    steps: tuple[str, ...]
    environment: str = "prod"
    feature: str = ""

    @property
    def interpreter(self) -> str:
        return "node" if self.script.endswith("cjs") else _PYTHON


CAST = (
    Workload(namespace="shop", kind="Deployment", name="checkout", team="payments", feature="assistant",
             script="openai_sync.py", steps=("chat", "stream", "responses", "responses_stream", "embeddings", "tools")),
    Workload(namespace="shop", kind="Job", name="indexer", team="search",
             script="openai_async.py", steps=("embeddings", "chat", "stream", "responses")),
    Workload(namespace="shop", kind="StatefulSet", name="inbox", team="support", feature="triage",
             script="anthropic_async.py", steps=("messages", "stream")),
    Workload(namespace="shop", kind="Deployment", name="storefront", team="web",
             script="openai_node.cjs", steps=("chat", "stream", "responses", "responses_stream", "embeddings", "parallel")),
    Workload(namespace="lab", kind="Deployment", name="forecast", team="data", environment="staging",
             script="gemini_sync.py", steps=("generate", "stream")),
    Workload(namespace="lab", kind="Pod", name="copywriter", team="web", environment="staging",
             script="anthropic_node.cjs", steps=("messages", "stream")),
    Workload(namespace="lab", kind="CronJob", name="troubled", team="data", environment="staging",
             script="openai_sync.py", steps=("chat", "silent_stream", "unlisted_model", "chat", "failing", "routed")),
)  # fmt: skip


def make_namespaces() -> None:
    """Two teams' namespaces and the provider's; what a namespace says counts for its pods."""
    for name, environment in (("shop", "prod"), ("lab", "staging"), (PROVIDER_NAMESPACE, "")):
        annotations = {"podtab.io/environment": environment} if environment else {}
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": annotations}})


def start_provider() -> None:
    """The fake, behind a service address that the workloads know under the providers' names."""
    folder = STATE / "provider"
    folder.mkdir(exist_ok=True)
    made = certificates.make(folder)
    # One that runs has another certificate.
    kubectl("-n", PROVIDER_NAMESPACE, "delete", "pod", "fake-provider", "--ignore-not-found", "--now")
    apply(_secret(PROVIDER_NAMESPACE, "certificate", {"server.pem": made.server}))
    for namespace in ("shop", "lab"):
        apply(_secret(namespace, "authority", {"ca.pem": made.authority}))
    command = ["python3", "-m", "agent.demo.provider", "--host", "0.0.0.0", "--certificate", "/certificate/server.pem",
               "--books", "/dev/stdout"]  # fmt: skip
    apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "fake-provider", "namespace": PROVIDER_NAMESPACE, "labels": {"app": "fake-provider"}},
            "spec": {
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "provider",
                        "image": WORKLOADS,
                        "imagePullPolicy": "Never",
                        "command": command,
                        "ports": [{"containerPort": 443}],
                        "readinessProbe": {"tcpSocket": {"port": 443}, "periodSeconds": 1},
                        "volumeMounts": [{"name": "certificate", "mountPath": "/certificate"}],
                    }
                ],
                "volumes": [{"name": "certificate", "secret": {"secretName": "certificate"}}],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "fake-provider", "namespace": PROVIDER_NAMESPACE},
            "spec": {"clusterIP": PROVIDER_IP, "selector": {"app": "fake-provider"}, "ports": [{"port": 443}]},
        },
    )
    kubectl("-n", PROVIDER_NAMESPACE, "wait", "--for=condition=Ready", "pod/fake-provider", "--timeout=90s")


def read_books() -> list[Served]:
    """Every answer that the fake gave since it started."""
    log = kubectl("-n", PROVIDER_NAMESPACE, "logs", "fake-provider", "--tail=-1")
    path = STATE / "books.jsonl"
    path.write_text("".join(line + "\n" for line in log.splitlines() if line.startswith("{")))
    return books.read(path)


def _secret(namespace: str, name: str, files: Mapping[str, Path]) -> dict[str, Any]:
    data = {key: path.read_text() for key, path in files.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": data,
    }


def template(workload: Workload, rounds: int, *, forever: bool) -> dict[str, Any]:
    """A pod's template.  ``forever``: stay after the last call, as a service does."""
    labels = {"app": workload.name, "team": workload.team} | ({"feature": workload.feature} if workload.feature else {})
    stay = "; sleep infinity" if forever else ""
    run = (
        f'{workload.interpreter} /srv/agent/demo/workloads/{workload.script} "$@" && echo finished || echo failed{stay}'
    )
    environment = {
        "SSL_CERT_FILE": "/authority/ca.pem",
        "REQUESTS_CA_BUNDLE": "/authority/ca.pem",
        "NODE_EXTRA_CA_CERTS": "/authority/ca.pem",
        "NODE_PATH": _NODE_MODULES,
        "PYTHONWARNINGS": "ignore",
        **dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), "sk-demo-$(POD_NAME)"),
    }
    name = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return {
        "metadata": {"labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "hostAliases": [{"ip": PROVIDER_IP, "hostnames": list(certificates.HOSTS)}],
            "containers": [
                {
                    "name": "app",
                    "image": WORKLOADS,
                    "imagePullPolicy": "Never",
                    "command": ["sh", "-c", run, "app", str(rounds), *workload.steps],
                    "env": [name, *({"name": key, "value": value} for key, value in environment.items())],
                    "volumeMounts": [{"name": "authority", "mountPath": "/authority"}],
                }
            ],
            "volumes": [{"name": "authority", "secret": {"secretName": "authority"}}],
        },
    }


def manifest(workload: Workload, rounds: int, replicas: int = 1) -> dict[str, Any]:
    metadata = {"name": workload.name, "namespace": workload.namespace}
    stays = template(workload, rounds, forever=True)
    ends = template(workload, rounds, forever=False)
    ends["spec"]["restartPolicy"] = "Never"
    selector = {"matchLabels": {"app": workload.name}}
    if workload.kind == "Pod":
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata | stays["metadata"], "spec": stays["spec"]}
    if workload.kind == "Job":
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": ends}}
    if workload.kind == "CronJob":
        job = {"spec": {"template": ends, "backoffLimit": 0}}
        return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata,
                "spec": {"schedule": "0 0 29 2 *", "suspend": True, "jobTemplate": job}}  # fmt: skip
    spec: dict[str, Any] = {"replicas": replicas, "selector": selector, "template": stays}
    if workload.kind == "StatefulSet":
        spec["serviceName"] = workload.name
    return {"apiVersion": "apps/v1", "kind": workload.kind, "metadata": metadata, "spec": spec}


def run(cast: Sequence[Workload], rounds: int = 2) -> list[Pod]:
    """All at once; returns when each has made its calls, as pods of the demo whose names can be compared."""
    remove(cast)
    apply(*(manifest(workload, rounds) for workload in cast))
    for workload in cast:
        if workload.kind == "CronJob":
            kubectl(
                "-n", workload.namespace, "create", "job", "--from", f"cronjob/{workload.name}", f"{workload.name}-1"
            )
    return [pod for workload in cast for pod in finished(workload)]


def finished(workload: Workload, number: int = 1) -> list[Pod]:
    names = eventually(
        f"{number} pods of {workload.name} that have made their calls", lambda: _done(workload, number), seconds=180
    )
    return [as_demo_pod(workload, name) for name in names]


def pods_of(workload: Workload) -> list[dict[str, Any]]:
    return list(get("pods", "-n", workload.namespace, "-l", f"app={workload.name}")["items"])


def _done(workload: Workload, number: int) -> list[str]:
    names = [pod["metadata"]["name"] for pod in pods_of(workload) if "deletionTimestamp" not in pod["metadata"]]
    if len(names) < number:
        return []
    for name in names:
        last = kubectl("-n", workload.namespace, "logs", name, "--tail=3")
        if "failed" in last:
            raise AssertionError(f"{name}: {kubectl('-n', workload.namespace, 'logs', name, '--tail=20')}")
        if "finished" not in last:
            return []
    return names


def as_demo_pod(workload: Workload, name: str) -> Pod:
    return Pod(
        namespace=workload.namespace,
        name=name,
        owner_kind="",
        owner="",
        workload=f"{workload.kind}/{workload.name}",
        team=workload.team,
        feature=workload.feature,
        environment=workload.environment,
        script=workload.script,
        steps=workload.steps,
    )


def remove(cast: Sequence[Workload]) -> None:
    for workload in cast:
        kubectl("-n", workload.namespace, "delete", workload.kind.lower(), workload.name, "--ignore-not-found", "--now")
        kubectl("-n", workload.namespace, "delete", "pod,job", "-l", f"app={workload.name}", "--now")
    eventually("old pods to be gone", lambda: not any(pods_of(workload) for workload in cast), seconds=120)
