"""Go programs of the tests, built once for each toolchain and set of flags into a cache outside the checkout; only the standard library."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "kernel" / "native" / "go"
OLDER = "go1.22.12"
"""Another table of functions' layout, another compiler; Go fetches it from its module proxy."""
STRIPPED = "-ldflags=-s -w"
PIE = "-buildmode=pie"
UNOPTIMISED = "-gcflags=all=-N -l"
"""As debuggers like it: nothing is inlined."""
PREBUILT = "PODTAB_GO_PROGRAMS"
"""The variable that names a folder where those of ``for_kernels`` are: an emulated machine has no Go of its own."""
_FOR_KERNELS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("ask", (), ""),
    ("ask", (), OLDER),
    ("talk", (), ""),
    ("talk", (STRIPPED,), ""),
    ("talk", (UNOPTIMISED,), ""),
    ("talk", (STRIPPED, PIE), OLDER),
)
"""What the kernel tests of tests/qemu ask for."""


def build(package: str, *flags: str, toolchain: str = "", environment: Mapping[str, str] | None = None) -> Path:
    """The program; skips, visibly, where there is no Go or no such toolchain."""
    if folder := os.environ.get(PREBUILT):
        program = Path(folder) / _plain_name(package, flags, toolchain)
        if not program.exists():
            pytest.skip("needs Go, or this toolchain, where this machine's root was made")
        return program
    return _build(package, flags, toolchain, tuple(sorted((environment or {}).items())))


def for_kernels(environment: Mapping[str, str] | None = None) -> Iterator[tuple[str, Path]]:
    """What another machine's tests will ask for, built here, and its name in ``PREBUILT``; where one can't be, its tests are skipped there."""
    for package, flags, toolchain in _FOR_KERNELS:
        with contextlib.suppress(pytest.skip.Exception):
            program = build(package, *flags, toolchain=toolchain, environment=environment)
            yield _plain_name(package, flags, toolchain), program


def _plain_name(package: str, flags: tuple[str, ...], toolchain: str) -> str:
    return "-".join((package, *flags, toolchain)).replace(" ", "").replace("=", "")


@cache
def _build(package: str, flags: tuple[str, ...], toolchain: str, extra: tuple[tuple[str, str], ...]) -> Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs Go (https://go.dev/doc/install)")
    # Nothing of the user's settings: the same sources give the same program.
    environment = {**os.environ, "GOFLAGS": "-trimpath", "GOWORK": "off", **dict(extra)}
    if toolchain:
        environment["GOTOOLCHAIN"] = toolchain
    version = subprocess.run([go, "version"], env=environment, capture_output=True, text=True, check=False)
    if version.returncode:
        pytest.skip(f"needs {toolchain}, which Go could not fetch")
    texts = [path.read_bytes() for path in sorted(SOURCES.rglob("*")) if path.is_file()]
    key = hashlib.sha256(b"\0".join((*texts, repr((package, flags, version.stdout, extra)).encode()))).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "podtab" / "go-tests"
    program = folder / f"{package}-{key}"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            # Into a temporary name first: a build that is cut must not leave half a program behind.
            made = Path(work) / package
            subprocess.run([go, "build", *flags, "-o", made, f"./{package}"], cwd=SOURCES, env=environment, check=True)
            made.rename(program)
    return program
