"""Rust programs of the tests, built once for each set of sources and choices into a cache outside the checkout."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

KERNEL = Path(__file__).parent / "kernel"


@cache
def build(folder: str, feature: str, profile: str = "release", flags: str = "") -> Path:
    """The program ``client`` of a folder below ``tests/kernel``; skips, visibly, where there is no Cargo."""
    cargo = shutil.which("cargo") or shutil.which("cargo", path=str(Path.home() / ".cargo" / "bin"))
    if not cargo:
        pytest.skip("needs cargo")
    version = subprocess.run([cargo, "version"], capture_output=True, text=True, check=True).stdout
    sources = KERNEL / folder
    texts = [path.read_bytes() for path in sorted(sources.rglob("*")) if path.is_file()]
    key = hashlib.sha256(b"\0".join((*texts, repr((feature, profile, flags, version)).encode()))).hexdigest()[:16]
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "podtab" / "rust-tests"
    program = cached / f"{folder}-{feature}-{profile}-{key}"
    if not program.exists():
        cached.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached) as work:
            environment = {**os.environ, "CARGO_TARGET_DIR": work, "RUSTFLAGS": flags}
            command = [cargo, "build", "-q", "--profile", profile, "--locked", "--features", feature]
            subprocess.run(command, cwd=sources, env=environment, check=True, timeout=600)
            # Cargo's own name for what the profile dev makes is debug.
            (Path(work) / ("debug" if profile == "dev" else profile) / "client").rename(program)
    return program


def for_kernels() -> None:
    """What the tests in an emulated machine will ask for, built here, where it takes less than hours; without Cargo they skip there as well."""
    with contextlib.suppress(pytest.skip.Exception):
        for feature, profile in (("new", "release"), ("new", "small"), ("new", "dev"), ("old", "release")):
            build("rustls", feature, profile)
