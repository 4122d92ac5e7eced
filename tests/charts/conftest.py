"""Helm for the chart's tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "charts" / "podtab"

Render = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def helm() -> str:
    """The pinned helm that scripts/get-helm builds, else the machine's."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = shutil.which("helm", path=f"{cache / 'podtab' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip("no helm here: run scripts/get-helm")
    return found


@pytest.fixture(scope="session")
def render(helm: str) -> Render:
    """render(values, *helm options) → the rendered objects."""

    def run(values: dict[str, Any] | None = None, *options: str) -> list[dict[str, Any]]:
        command = [helm, "template", "tab", str(CHART), "--namespace", "ai-cost", "--values", "-", *options]
        done = subprocess.run(command, input=yaml.safe_dump(values or {}), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RefusedError(done.stderr)
        return [part for part in yaml.safe_load_all(done.stdout) if part]

    return run


class RefusedError(Exception):
    """Helm's own words."""
