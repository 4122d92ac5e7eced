"""A network namespace for the node, tied to this machine by one pair of interfaces.  Nothing in it leads any further."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cluster.node.layout import HOST_IP, LINK_PREFIX, NAMESPACE, NETNS, NODE_IP, POD_CIDR, SERVICE_CIDR, STATE

HOST_LINK = "podtab-host"
CNI_FOLDER = STATE / "cni"


def inside(*command: str | Path) -> list[str]:
    """Not ``ip netns exec``: that mounts a fresh /sys, in which kubelet finds no cgroups."""
    return ["nsenter", f"--net={NETNS}", "--", *map(str, command)]


def make() -> None:
    _run("ip", "netns", "add", NAMESPACE)
    _run("ip", "link", "add", HOST_LINK, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
    _run("ip", "address", "add", f"{HOST_IP}/{LINK_PREFIX}", "dev", HOST_LINK)
    _run("ip", "link", "set", HOST_LINK, "up")
    _run(*inside("ip", "link", "set", "lo", "up"))
    _run(*inside("ip", "address", "add", f"{NODE_IP}/{LINK_PREFIX}", "dev", "eth0"))
    _run(*inside("ip", "link", "set", "eth0", "up"))
    _run(*inside("ip", "route", "add", "default", "via", HOST_IP))
    _run(*inside("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"))
    # So that a person on this machine can reach pods and services by their addresses.
    for network in (POD_CIDR, SERVICE_CIDR):
        _run("ip", "route", "replace", network, "via", NODE_IP)
    CNI_FOLDER.mkdir(parents=True, exist_ok=True)
    plugins = {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(STATE / "ipam"),
                    "ranges": [[{"subnet": POD_CIDR}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }
    (CNI_FOLDER / "10-pods.conflist").write_text(json.dumps(plugins))


def remove() -> None:
    """Whatever of it is there."""
    subprocess.run(["ip", "link", "delete", HOST_LINK], check=False, capture_output=True)
    subprocess.run(["ip", "netns", "delete", NAMESPACE], check=False, capture_output=True)
    for link in Path("/run/netns").glob("cni-*"):
        subprocess.run(["ip", "netns", "delete", link.name], check=False, capture_output=True)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
