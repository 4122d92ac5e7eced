"""The node's programs: how each is started, and all of them stopped.  They outlive who starts them, so that a person can play."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from tests.cluster.node.layout import (
    CERTIFICATES,
    CONTAINERD_SOCKET,
    LOGS,
    NODE,
    NODE_IP,
    POD_CIDR,
    ROOT,
    SERVICE_CIDR,
    STATE,
)
from tests.cluster.node.network import CNI_FOLDER, inside

PAUSE = "localhost/pause:1"
PIDS = STATE / "pids"
PATIENCE_SECONDS = 120.0
STOP_SECONDS = 20.0
ETCD = f"http://{NODE_IP}:2379"
ORDER = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "containerd", "kubelet", "kube-proxy",
)  # fmt: skip


def binaries() -> Path:
    """Of the five that are built from Go modules."""
    where = subprocess.run(
        [ROOT / "scripts" / "build-kubernetes", "--where"], check=True, capture_output=True, text=True
    )
    return Path(where.stdout.strip())


def start(name: str) -> None:
    """One program, in the node's network; its output goes to the logs."""
    spawn(name, COMMANDS[name]())


def spawn(name: str, command: list[str | Path], folder: Path = STATE) -> None:
    """Any command there; ``folder`` is where it starts."""
    for needed in (LOGS, PIDS):
        needed.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            inside(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=folder,
            env={**os.environ, "ETCD_UNSUPPORTED_ARCH": os.uname().machine, "ETCDCTL_API": "3"},
        )  # fmt: skip
    (PIDS / name).write_text(str(process.pid))
    # Forgotten on purpose: it goes on when we end.  A child that died shows in `running`.
    process.returncode = 0


def running(name: str) -> bool:
    try:
        pid = int((PIDS / name).read_text())
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, ValueError):
        return False


def stop(name: str, number: int = signal.SIGTERM) -> None:
    """Returns when it is gone."""
    try:
        pid = int((PIDS / name).read_text())
    except (OSError, ValueError):
        return
    deadline = time.monotonic() + STOP_SECONDS
    while running(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number if time.monotonic() < deadline else signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.1)
    (PIDS / name).unlink(missing_ok=True)


def wait(what: str, ready: Callable[[], bool], program: str = "", seconds: float = PATIENCE_SECONDS) -> None:
    """Polls; says what it waited for, and what the program said last."""
    deadline = time.monotonic() + seconds
    while not ready():
        if program and not running(program):
            raise RuntimeError(f"{program} ended while waiting for {what}: {last_words(program)}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds:.0f} s in vain for {what}: {last_words(program)}")
        time.sleep(0.2)


def last_words(program: str) -> str:
    log = LOGS / f"{program}.log"
    return log.read_text(errors="replace")[-1500:] if program and log.exists() else ""


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


# ------------------------------------------------------------------------------------------------------------ command lines


def _options(program: str | Path, options: Mapping[str, object]) -> list[str | Path]:
    return [program, *(f"--{name}={value}" for name, value in options.items())]


def _etcd() -> list[str | Path]:
    peers = f"http://{NODE_IP}:2380"
    return _options(
        "etcd",
        {
            "data-dir": STATE / "etcd",
            "listen-client-urls": ETCD,
            "advertise-client-urls": ETCD,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
            # Its data lives for an afternoon.
            "snapshot-count": 10_000,
        },
    )


def _apiserver() -> list[str | Path]:
    admission = STATE / "admission.yaml"
    # Pod Security is in force everywhere: a namespace that says nothing gets `baseline`, which refuses hostPID and privileges.
    admission.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "apiserver.config.k8s.io/v1",
                "kind": "AdmissionConfiguration",
                "plugins": [
                    {
                        "name": "PodSecurity",
                        "configuration": {
                            "apiVersion": "pod-security.admission.config.k8s.io/v1",
                            "kind": "PodSecurityConfiguration",
                            "defaults": {"enforce": "baseline", "enforce-version": "latest"},
                        },
                    }
                ],
            }
        )
    )
    return _options(
        binaries() / "kube-apiserver",
        {
            "etcd-servers": ETCD,
            "bind-address": "0.0.0.0",
            "advertise-address": NODE_IP,
            "secure-port": 6443,
            "tls-cert-file": CERTIFICATES / "apiserver.pem",
            "tls-private-key-file": CERTIFICATES / "apiserver.key",
            "client-ca-file": CERTIFICATES / "ca.pem",
            "kubelet-certificate-authority": CERTIFICATES / "ca.pem",
            "kubelet-client-certificate": CERTIFICATES / "api-to-kubelet.pem",
            "kubelet-client-key": CERTIFICATES / "api-to-kubelet.key",
            "kubelet-preferred-address-types": "InternalIP",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": CERTIFICATES / "service-accounts.pub",
            "service-account-signing-key-file": CERTIFICATES / "service-accounts.key",
            "service-cluster-ip-range": SERVICE_CIDR,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "admission-control-config-file": admission,
            "allow-privileged": "true",
        },
    )


def _controller_manager() -> list[str | Path]:
    return _options(
        binaries() / "kube-controller-manager",
        {
            "kubeconfig": STATE / "controller-manager.kubeconfig",
            "root-ca-file": CERTIFICATES / "ca.pem",
            "service-account-private-key-file": CERTIFICATES / "service-accounts.key",
            "use-service-account-credentials": "true",
            "leader-elect": "false",
        },
    )


def _scheduler() -> list[str | Path]:
    return _options(
        binaries() / "kube-scheduler", {"kubeconfig": STATE / "scheduler.kubeconfig", "leader-elect": "false"}
    )


def _containerd() -> list[str | Path]:
    config = STATE / "containerd.toml"
    folder = CONTAINERD_SOCKET.parent
    config.write_text(
        f"""version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # A negative score needs CAP_SYS_RESOURCE, which a container of ours may lack.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "runc"
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{CNI_FOLDER}"
"""
    )
    return ["containerd", "--config", config]


def _kubelet() -> list[str | Path]:
    config = STATE / "kubelet.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "kind": "KubeletConfiguration",
                "authentication": {
                    "x509": {"clientCAFile": str(CERTIFICATES / "ca.pem")},
                    "anonymous": {"enabled": False},
                },
                "authorization": {"mode": "Webhook"},
                "tlsCertFile": str(CERTIFICATES / "kubelet-server.pem"),
                "tlsPrivateKeyFile": str(CERTIFICATES / "kubelet-server.key"),
                "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
                "cgroupDriver": "cgroupfs",
                # Test machines have cgroup v1 beside v2, and perhaps swap.
                "failCgroupV1": False,
                "failSwapOn": False,
                "podLogsDir": str(STATE / "pod-logs"),
                "staticPodPath": "",
                "clusterDomain": "cluster.local",
                "resolvConf": str(_resolv_conf()),
                "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
                "imageGCHighThresholdPercent": 100,
                "maxPods": 110,
                "nodeStatusUpdateFrequency": "5s",
            }
        )
    )
    return _options(
        binaries() / "kubelet",
        {
            "config": config,
            "kubeconfig": STATE / "kubelet.kubeconfig",
            "root-dir": STATE / "kubelet",
            "hostname-override": NODE,
            "node-ip": NODE_IP,
            "cert-dir": STATE / "kubelet-certificates",
        },
    )


def _resolv_conf() -> Path:
    """No name server: names come from hostAliases."""
    path = STATE / "resolv.conf"
    path.write_text("")
    return path


def _proxy() -> list[str | Path]:
    config = STATE / "proxy.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                "kind": "KubeProxyConfiguration",
                "mode": "nftables",
                "clusterCIDR": POD_CIDR,
                "hostnameOverride": NODE,
                "clientConnection": {"kubeconfig": str(STATE / "proxy.kubeconfig")},
                # Without the bridge's netfilter module an answer between two pods of one node would bypass the translation.
                "nftables": {"masqueradeAll": True},
                "conntrack": {"maxPerCore": 0, "min": 0},
            }
        )
    )
    return _options(binaries() / "kube-proxy", {"config": config})


COMMANDS: dict[str, Callable[[], list[str | Path]]] = {
    "etcd": _etcd,
    "kube-apiserver": _apiserver,
    "kube-controller-manager": _controller_manager,
    "kube-scheduler": _scheduler,
    "containerd": _containerd,
    "kubelet": _kubelet,
    "kube-proxy": _proxy,
}
