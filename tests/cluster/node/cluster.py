"""The node brought up and taken away; kubectl, helm and the API as a person has them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.node import certificates, images, network, programs
from tests.cluster.node.layout import API, CERTIFICATES, KUBECONFIG, NODE, POD_CIDR, ROOT, SERVICE_CIDR, STATE

PACKAGES = {
    "etcd": "etcd-server", "containerd": "containerd", "runc": "runc", "nft": "nftables", "ip": "iproute2",
    "buildah": "buildah", "prometheus": "prometheus", "openssl": "openssl", "cc": "gcc",
}  # fmt: skip

# Where containerd's network plugins remember their results; it may be somebody else's too.
CNI_CACHE = Path("/var/lib/cni")
_MADE_CNI_CACHE = STATE / "made-cni-cache"


class CommandError(RuntimeError):
    """A command that had to work did not."""


def say(text: str) -> None:
    print(f"cluster: {text}", file=sys.stderr, flush=True)


def up(*, build: bool = True) -> None:
    """From nothing to a Ready node with all images, in a minute or two once things are built."""
    if STATE.exists():
        raise CommandError(f"{STATE} exists: a cluster stands there already; make cluster-down removes it")
    if busy := [str(folder) for folder in _kubepods() if _pids(folder)]:
        raise CommandError(f"another kubelet's pods are at work here ({busy[0]}): its cgroups would be mixed with ours")
    STATE.mkdir(parents=True, mode=0o755)
    if not CNI_CACHE.exists():
        _MADE_CNI_CACHE.touch()
    began = time.monotonic()
    say("certificates and network")
    certificates.make()
    network.make()
    say("etcd, API server, controller manager, scheduler")
    programs.start("etcd")
    programs.wait("etcd", lambda: programs.answers(f"{programs.ETCD}/health"), "etcd")
    programs.start("kube-apiserver")
    programs.wait("the API server", lambda: kubectl("get", "--raw", "/readyz", check=False) == "ok", "kube-apiserver")
    for name in ("kube-controller-manager", "kube-scheduler", "containerd"):
        programs.start(name)
    programs.wait("containerd", _containerd_answers, "containerd")
    if build:
        say("images")
        images.build_pause()
        # First: on a bare machine scripts/image also makes the base that the workloads stand on.
        images.build_podtab()
        images.build_workloads()
    for image in (programs.PAUSE, images.WORKLOADS, images.PODTAB):
        images.load(image)
    say("kubelet and kube-proxy")
    programs.start("kubelet")
    programs.start("kube-proxy")
    # kube-proxy's user needs its role, as kubeadm gives it.
    kubectl(
        "create", "clusterrolebinding", "kube-proxy", "--clusterrole=system:node-proxier", "--user=system:kube-proxy"
    )
    programs.wait("the node", lambda: "True" in _ready_condition(), "kubelet")
    programs.wait(
        "the default service account", lambda: "default" in kubectl("get", "serviceaccounts", "-o", "name", check=False)
    )
    say(f"ready after {time.monotonic() - began:.0f} s")


def down() -> None:
    """Every trace of it, whatever state it is in; nothing where none stands, as pods and namespaces here are then somebody else's."""
    if not STATE.exists():
        return
    if programs.running("kube-apiserver") and programs.running("kubelet"):
        with contextlib.suppress(CommandError):
            for kind in ("daemonsets", "deployments", "statefulsets", "cronjobs", "jobs"):
                kubectl("delete", kind, "--all", "-A", "--wait=false", timeout=30)
            kubectl("delete", "pods", "--all", "-A", "--force", "--grace-period=0", "--wait=false", timeout=60)
        with contextlib.suppress(RuntimeError):
            programs.wait("pods to go", lambda: not _containers(), seconds=40)
    for name in ("prometheus", "discovery", *reversed(programs.ORDER)):
        programs.stop(name)
    _kill_leftovers()
    network.remove()
    _unmount()
    _remove_cgroups()
    if _MADE_CNI_CACHE.exists():
        shutil.rmtree(CNI_CACHE, ignore_errors=True)
    # Last: a removal that was cut can be done again.
    shutil.rmtree(STATE)


def remains() -> list[str]:
    """What is left of a cluster that was taken down; nothing, if all is well."""
    found = [str(path) for path in (STATE,) if path.exists()]
    links = subprocess.run(["ip", "-brief", "link"], check=True, capture_output=True, text=True).stdout
    found += [network.HOST_LINK] if network.HOST_LINK in links else []
    spaces = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    found += [line for line in spaces.splitlines() if line.startswith(("cni-", "podtab-cluster"))]
    mounts = Path("/proc/self/mounts").read_text()
    found += [line.split()[1] for line in mounts.splitlines() if str(STATE) in line.split()[1]]
    found += [line for line in _processes() if str(STATE) in line]
    return found + [str(path) for path in _kubepods()]


# ------------------------------------------------------------------------------------------------------------------- tools


def kubectl(*arguments: str, check: bool = True, stdin: str | None = None, timeout: float = 120) -> str:
    """Its output.  With ``check`` an error of it is an error of ours, in its own words."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(KUBECONFIG), *arguments], check=False, capture_output=True, text=True,
        input=stdin, timeout=timeout,
    )  # fmt: skip
    if done.returncode and check:
        raise CommandError(f"kubectl {' '.join(arguments[:6])}: {done.stderr.strip()[-1500:]}")
    return done.stdout


def get(*arguments: str) -> Any:
    return json.loads(kubectl("get", *arguments, "-o", "json"))


def apply(*objects: dict[str, Any]) -> None:
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def helm(*arguments: str, check: bool = True, timeout: float = 300) -> str:
    program = subprocess.run([ROOT / "scripts" / "get-helm"], check=True, capture_output=True, text=True).stdout.strip()
    done = subprocess.run(
        [program, "--kubeconfig", str(KUBECONFIG), *arguments], check=False, capture_output=True, text=True,
        timeout=timeout, env={**os.environ, "HELM_CACHE_HOME": str(STATE / "helm")},
    )  # fmt: skip
    if done.returncode and check:
        raise CommandError(f"helm {' '.join(arguments[:4])}: {done.stderr.strip()[-1500:]}")
    return done.stdout + (done.stderr if not check else "")


def eventually(what: str, truth: Callable[[], object], seconds: float = 90.0) -> Any:
    """The first true value; what it last was is part of the complaint."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = truth()
        except (CommandError, OSError, KeyError, IndexError) as error:
            last = None
            reason = str(error)
        else:
            reason = repr(last)
        if last:
            return last
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds:.0f} s: {what}; last: {reason}")


# ----------------------------------------------------------------------------------------------------------------- helpers


def _ready_condition() -> str:
    path = "{.status.conditions[?(@.type=='Ready')].status}"
    return kubectl("get", "node", NODE, "-o", f"jsonpath={path}", check=False)


def _containerd_answers() -> bool:
    return not subprocess.run(_ctr("version"), check=False, capture_output=True).returncode


def _ctr(*arguments: str) -> list[str]:
    from tests.cluster.node.layout import CONTAINERD_SOCKET

    return ["ctr", "--address", str(CONTAINERD_SOCKET), "--namespace", "k8s.io", *arguments]


def _containers() -> list[str]:
    done = subprocess.run(_ctr("tasks", "list", "--quiet"), check=False, capture_output=True, text=True)
    return done.stdout.split()


def _processes() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(f"{path.parent.name} {path.read_bytes().replace(bytes(1), b' ').decode(errors='replace')}")
    return [line for line in found if not line.startswith(f"{os.getpid()} ")]


def _kill_leftovers() -> None:
    """Containers and their shims, which outlive containerd."""
    for folder in _kubepods():
        for pid in _pids(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
    for line in _processes():
        pid, _, command = line.partition(" ")
        if "containerd-shim" in command and str(STATE) in command:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)
    time.sleep(0.5)


def _kubepods() -> list[Path]:
    """Of all hierarchies.  Only ours while a cluster stands: ``up`` refuses where another kubelet is at work."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    roots = [Path(fields[1]) for fields in mounts if fields[2] in ("cgroup", "cgroup2")]
    return [root / "kubepods" for root in roots if (root / "kubepods").is_dir()]


def _pids(folder: Path) -> list[int]:
    """Of all processes in it and below."""
    found: list[int] = []
    for file in folder.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            found += map(int, file.read_text().split())
    return found


def _remove_cgroups() -> None:
    for top in _kubepods():
        folders = sorted((path for path in top.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
        for folder in (*folders, top):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _unmount() -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in sorted((point for point in mounts if str(STATE) in point), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)


def summary() -> str:
    return (
        f"kubectl:    kubectl --kubeconfig {KUBECONFIG} get pods -A   (API server {API})\n"
        f"networks:   pods {POD_CIDR}, services {SERVICE_CIDR}, reachable from this machine\n"
        f"CA:         {CERTIFICATES / 'ca.pem'}"
    )


AGENT_NAMESPACE = "ai-cost"


def install(profile: str, *values: str, upgrade: bool = False) -> str:
    """The chart from this checkout, by helm, with the image that was built from this checkout.  Returns when its pods are ready.

    ``values``: path=JSON, more of the chart's values.
    """
    repository, _, tag = images.PODTAB.rpartition(":")
    options = [f"image.repository={repository}", f"image.tag={tag}", "image.pullPolicy=Never"]
    options += [f"security.profile={profile}", "config.cluster=test"]
    if not upgrade:
        labels = {"pod-security.kubernetes.io/enforce": "privileged"}
        metadata = {"name": AGENT_NAMESPACE, "labels": labels}
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    told = helm("upgrade" if upgrade else "install", "podtab", str(ROOT / "charts" / "podtab"), "-n", AGENT_NAMESPACE,
                *(part for option in options for part in ("--set", option)),
                *(part for value in values for part in ("--set-json", value)), "--wait", "--timeout", "180s")  # fmt: skip
    kubectl("-n", AGENT_NAMESPACE, "rollout", "status", "daemonset/podtab", "--timeout=180s", timeout=200)
    return told
