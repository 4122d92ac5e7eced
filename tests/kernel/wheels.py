"""Packages of other people whose compiled code tests look at: pinned, installed once into a cache outside the tree, never into our environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "podtab" / "wheels"


def installed(*requirements: str) -> Path:
    """A folder that has them, to be put on a path."""
    folder = CACHE / "+".join(requirements)
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        making = tempfile.mkdtemp(dir=CACHE)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--only-binary=:all:", "--target", making]
        subprocess.run([*pip, *requirements], check=True, timeout=300)
        try:
            os.rename(making, folder)
        except OSError:  # somebody else was quicker
            shutil.rmtree(making)
    return folder
