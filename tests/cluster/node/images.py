"""The images that the node runs, built here and imported: podtab's own from its Dockerfile, the workloads', and a sandbox's ``pause``."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.cluster.node.layout import CONTAINERD_SOCKET, ROOT
from tests.cluster.node.programs import PAUSE

PODTAB, WORKLOADS = "localhost/podtab:test", "localhost/podtab-workloads:1"
# A plain chroot and plain copies: this works in containers and virtual machines that have neither overlay nor user namespaces.
ENVIRONMENT = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
# A container's first process, which reaps and waits.
PAUSE_C = "#include <unistd.h>\n#include <signal.h>\nint main(void) { signal(SIGCHLD, SIG_IGN); for (;;) pause(); }\n"
HERE = Path(__file__).parent


def build_podtab(name: str = PODTAB) -> None:
    _run([ROOT / "scripts" / "image", name], cwd=ROOT, PODTAB_ENGINE="buildah")


def build_workloads() -> None:
    """The official SDKs, and the fake provider, on the same base as podtab's image."""
    _run([ROOT / "scripts" / "setup-demo"], cwd=ROOT)
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(
            ROOT / "agent" / "demo", context / "agent" / "demo", ignore=shutil.ignore_patterns("__pycache__")
        )
        for file in ("__init__.py", "model.py"):
            shutil.copy(ROOT / "agent" / file, context / "agent" / file)
        shutil.copytree(ROOT / ".cache" / "demo", context / "sdks", symlinks=True)
        _run(["buildah", "bud", "--pull-never", "--network", "host", "--layers", "--tag", WORKLOADS,
              "--file", HERE / "workloads.Dockerfile", context])  # fmt: skip


def build_pause() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pause.c").write_text(PAUSE_C)
        _run(["cc", "-static", "-Os", "-o", f"{folder}/pause", f"{folder}/pause.c"])
        (Path(folder) / "Dockerfile").write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
        _run(["buildah", "bud", "--tag", PAUSE, folder])


def load(name: str) -> None:
    """From buildah's storage into containerd's."""
    with tempfile.TemporaryDirectory() as folder:
        archive = f"{folder}/image.tar"
        _run(["buildah", "push", "--quiet", name, f"oci-archive:{archive}:{name}"])
        _run(["ctr", "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io", "images", "import", archive])


def _run(command: list[str | Path], cwd: Path | None = None, **environment: str) -> None:
    done = subprocess.run(
        [str(part) for part in command], check=False, capture_output=True, text=True, cwd=cwd,
        env={**os.environ, **ENVIRONMENT, **environment},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stdout + done.stderr).strip()[-2000:]}")
