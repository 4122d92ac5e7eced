"""The command line: help that teaches, mistakes in one sentence, nothing half-started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent import __version__

COMMANDS = ("run", "record", "replay", "top", "coverage", "doctor", "demo")
BELOW = (
    *(("prices", name) for name in ("show", "diff", "check", "update")),
    *(("signature", name) for name in ("make", "check")),
)


def podtab(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from agent.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_help_names_every_command() -> None:
    """And says what each is for."""
    out = podtab("--help").stdout
    assert all(command in out for command in COMMANDS)


def test_the_version_is_the_packages() -> None:
    """One place says it."""
    assert podtab("--version").stdout == f"podtab {__version__}\n"


@pytest.mark.parametrize("command", [*((name,) for name in COMMANDS), *BELOW], ids=" ".join)
def test_every_command_has_a_help_of_its_own(command: tuple[str, ...]) -> None:
    """With lines to copy, and without starting anything: imports stand inside the commands."""
    result = podtab(*command, "--help")
    assert result.returncode == 0
    assert "Usage" in result.stdout
    instance = result.stdout.partition("For instance:")[2]
    assert f"{'make' if command == ('demo',) else 'podtab'} {' '.join(command)}" in instance


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("run", "--nonsense"), "--nonsense"),
        (("replay",), "file"),
        (("unknown",), "unknown"),
        (("demo", "--calls", "many"), "--calls"),
        (("record", "tape", "--seconds", "-1"), "--seconds"),
    ],
)
def test_a_wrong_option_is_named(arguments: tuple[str, ...], word: str) -> None:
    """Exit code 2, as for every command line."""
    result = podtab(*arguments)
    assert result.returncode == 2
    assert word in result.stderr


def test_a_wrong_configuration_is_one_sentence(tmp_path: Path) -> None:
    """With the key, and before anything is loaded into the kernel."""
    (tmp_path / "c.yaml").write_text("capture: {ring_byte: 4}")
    result = podtab("run", "--config", tmp_path / "c.yaml")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "ring_byte" in result.stderr
    assert str(tmp_path / "c.yaml") in result.stderr


def test_a_pod_list_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    """Nothing is half-started."""
    (tmp_path / "pods.json").write_text("hello")
    result = podtab("run", "--pod-list", tmp_path / "pods.json", "--listen", "127.0.0.1:0")
    assert result.returncode == 1
    assert "kubectl get pods" in result.stderr


@pytest.mark.parametrize("command", [("top", "--once"), ("coverage",)])
def test_without_an_agent_it_is_one_sentence(command: tuple[str, ...]) -> None:
    """Port 9 is nobody's."""
    result = podtab(*command, "--url", "http://127.0.0.1:9/metrics")
    assert result.returncode == 1
    assert result.stderr.startswith("podtab: ")
