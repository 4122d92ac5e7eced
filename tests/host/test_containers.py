"""cgroup paths: every form that kubelet and runtimes use, and garbage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host.containers import PodRef, best_path, pod_of, unit_of

UID = "11111111-2222-3333-4444-555555555555"
UNDERSCORED = UID.replace("-", "_")
STATIC = "0123456789abcdef0123456789abcdef"
ID = "c0ffee" + "0" * 58


@pytest.mark.parametrize(
    ("path", "pod", "container"),
    [
        (f"/kubepods/burstable/pod{UID}/{ID}", UID, ID),
        (f"/kubepods/pod{UID}/{ID}", UID, ID),
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNDERSCORED}.slice/cri-containerd-{ID}.scope",
            UID,
            ID,
        ),
        (f"/kubepods.slice/kubepods-pod{UNDERSCORED}.slice/crio-{ID}.scope", UID, ID),
        (
            f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UNDERSCORED}.slice/docker-{ID}.scope",
            UID,
            ID,
        ),
        (f"/kubelet/kubepods/besteffort/pod{UID}/{ID}", UID, ID),
        (f"/docker/{'f' * 64}/kubelet/kubepods/burstable/pod{UID}/{ID}", UID, ID),
        (f"/kubepods/burstable/pod{UID}/{ID}/init.scope", UID, ID),
        (f"/../../kubepods/burstable/pod{UID}/{ID}", UID, ID),
        (f"/kubepods/burstable/pod{STATIC}/{ID}", STATIC, ID),
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{ID}.scope",
            STATIC,
            ID,
        ),
        (f"/kubepods/burstable/pod{UID}", UID, ""),
        (f"/kubepods.slice/kubepods-burstable-pod{UNDERSCORED}.slice", UID, ""),
        (f"/kubepods/pod{STATIC}/{'e' * 64}/kubepods/pod{UID}/{ID}", UID, ID),
    ],
)
def test_pods(path: str, pod: str, container: str) -> None:
    """The innermost pod, whichever driver and runtime."""
    assert pod_of(path) == PodRef(pod_uid=pod, container_id=container)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/system.slice/docker.service",
        "/podless/x",
        f"/x/notapod{UID}z/{ID}",
        f"/docker/{ID}",
        "/pod123/x",
        "x" * 5000,
    ],
)
def test_what_is_no_pod(path: str) -> None:
    """None, never a guess."""
    assert pod_of(path) is None


def test_systemd_services() -> None:
    """The innermost."""
    assert unit_of("/system.slice/app.service") == "app.service"
    assert unit_of("/user.slice/user-0.slice/user@0.service/app.slice/jupyter.service") == "jupyter.service"
    assert unit_of("/user.slice/session-1.scope") == ""


def test_the_line_that_names_a_pod_is_chosen() -> None:
    """Hybrid machines: v2 has no controllers and may not name the container."""
    text = f"12:memory:/kubepods/burstable/pod{UID}/{ID}\n1:name=systemd:/init.scope\n0::/\n"
    assert best_path(text) == f"/kubepods/burstable/pod{UID}/{ID}"
    assert (
        best_path("4:cpu:/\n1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n")
        == "/system.slice/a.service"
    )
    assert best_path("1:name=systemd:/system.slice/a.service\n") == "/system.slice/a.service"
    assert best_path("") == ""


@given(st.text(max_size=300))
def test_garbage(text: str) -> None:
    """No exception for any text."""
    pod_of(text)
    unit_of(text)
    best_path(text)
