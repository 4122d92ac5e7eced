"""Where the node's files are and which addresses it has."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[3]
# On a real file system: overlayfs does not stack on every temporary one.
STATE = Path(os.environ.get("PODTAB_CLUSTER_DIR", "/var/lib/podtab-cluster"))
NAMESPACE = "podtab-cluster"
NETNS = Path("/run/netns") / NAMESPACE
NODE = "podtab-node"

# A link-sized network between this machine and the node, and what Kubernetes needs inside.
HOST_IP, NODE_IP, LINK_PREFIX = "10.213.0.1", "10.213.0.2", 24
POD_CIDR, SERVICE_CIDR = "10.244.0.0/24", "10.96.0.0/16"
API_SERVICE_IP, PROVIDER_IP = "10.96.0.1", "10.96.77.77"
API = f"https://{NODE_IP}:6443"
PROMETHEUS = f"http://{NODE_IP}:9090"
CONTAINERD_SOCKET = STATE / "containerd" / "containerd.sock"
KUBECONFIG = STATE / "admin.kubeconfig"
CERTIFICATES = STATE / "certificates"
LOGS = STATE / "logs"
