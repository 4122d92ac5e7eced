"""
Tells Prometheus which pods there are, in the words of its own Kubernetes discovery, which Debian's build leaves out.

A process of its own that writes a file of targets whenever pods change; while the API server is away the last file stands, as in the
original.  Labels: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#pod
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from tests.cluster.node.cluster import CommandError, get
from tests.cluster.node.layout import STATE

TARGETS = STATE / "prometheus" / "targets.json"
_META = "__meta_kubernetes_"


def targets(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One target per declared port of every pod that has an address."""
    return [
        {"targets": [f"{pod['status']['podIP']}:{port['containerPort']}"], "labels": _labels(pod, port)}
        for pod in pods
        if pod["status"].get("podIP")
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
    ]


def _labels(pod: dict[str, Any], port: dict[str, Any]) -> dict[str, str]:
    metadata = pod["metadata"]
    labels = {
        f"{_META}namespace": metadata["namespace"],
        f"{_META}pod_name": metadata["name"],
        f"{_META}pod_ip": pod["status"]["podIP"],
        f"{_META}pod_phase": pod["status"]["phase"],
        f"{_META}pod_node_name": pod["spec"].get("nodeName", ""),
        f"{_META}pod_container_port_name": port.get("name", ""),
    }
    for kind in ("labels", "annotations"):
        for name, value in metadata.get(kind, {}).items():
            labels[f"{_META}pod_{kind.removesuffix('s')}_{clean(name)}"] = value
    return labels


def clean(name: str) -> str:
    """As Prometheus makes a label name of it."""
    return "".join(c if c.isalnum() else "_" for c in name)


def follow(path: Path = TARGETS) -> None:
    """Until killed."""
    last = ""
    while True:
        try:
            now = json.dumps(targets(get("pods", "-A")["items"]))
        except CommandError:
            now = last
        if now != last:
            new = path.with_suffix(".new")
            new.write_text(now)
            os.replace(new, path)
            last = now
        time.sleep(1)


if __name__ == "__main__":
    follow()
