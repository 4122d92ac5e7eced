"""The command line, and that kubectl finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.kubectl.cli import duration
from agent.model import PodtabError


def podtab(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from agent.kubectl.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("command", ["top", "calls", "coverage", "doctor"])
def test_help_teaches_by_examples(command: str) -> None:
    """Every command has its own."""
    said = podtab(command, "--help")
    assert said.returncode == 0
    assert f"kubectl podtab {command}" in said.stdout
    assert "Examples" in said.stdout


def test_no_cluster_is_one_sentence(tmp_path: Path) -> None:
    """Not a trace back."""
    said = podtab("top", "--kubeconfig", str(tmp_path / "none"))
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1)
    assert "no access to a cluster" in said.stderr


@pytest.mark.parametrize(("text", "seconds"), [("10", 10), ("1m30s", 90), ("500ms", 0.5), ("0", None), ("0s", None)])
def test_durations_are_kubectls(text: str, seconds: float | None) -> None:
    """0 is no limit."""
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1d", "10 s", "s"])
def test_other_durations_are_refused(text: str) -> None:
    """By the flag's name."""
    with pytest.raises(PodtabError, match="--request-timeout"):
        duration(text)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl")
def test_kubectl_finds_the_plugin(tmp_path: Path) -> None:
    """By its name on PATH."""
    plugin = tmp_path / "kubectl-podtab"
    plugin.write_text(f"#!{sys.executable}\nfrom agent.kubectl.cli import main\nmain()\n")
    plugin.chmod(0o755)
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": root}
    listed = subprocess.run(["kubectl", "plugin", "list"], capture_output=True, text=True, env=environment, timeout=60)
    assert str(plugin) in listed.stdout
    helped = subprocess.run(
        ["kubectl", "podtab", "--help"], capture_output=True, text=True, env=environment, timeout=60
    )
    assert "kubectl podtab top -A --by team" in helped.stdout
