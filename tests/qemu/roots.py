"""What a guest's root folder is: this machine's own, or, for another processor, one of packages and wheels that were never installed anywhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests import golang, rust
from tests.qemu.debian import Archive, FetchError, run

ROOT = Path(__file__).parents[2]
# What the tests run, build with, load and watch.
_PACKAGES = (
    *("base-files", "base-passwd", "bash", "busybox-static", "coreutils", "mount", "iproute2", "procps", "util-linux"),
    *("python3", "python3-bpfcc", "linux-libc-dev", "gcc", "libc6-dev", "libssl-dev", "openssl", "ca-certificates"),
    *("curl", "wget", "git", "gnutls-bin", "libgnutls30", "libmbedtls14", "libwolfssl35", "libnss3-tools", "nodejs"),
)
# Of the group dev, what the kernel tests import.
_TEST_WHEELS = ("h2", "hypothesis", "pytest", "pytest-timeout", "websockets")
_WHEEL_TAGS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
_PYTHON = "3.11"
"""Bookworm's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    path: Path
    python: str
    """As the guest calls it."""
    busybox: Path
    environment: dict[str, str] = field(default_factory=dict)
    """Of the command."""


@cache
def own() -> Root:
    """This machine's root, for kernels of its own processor; the programs that tests build are in its cache."""
    rust.for_kernels()
    for _ in golang.for_kernels():
        pass
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FetchError("busybox is needed (Debian: busybox-static)")
    return Root(
        path=Path("/"),
        python=".venv/bin/python",
        busybox=Path(busybox),
        environment={"HOME": "/root", "PATH": os.environ["PATH"]},
    )


@cache
def arm64(folder: Path) -> Root:
    """
    Bookworm's packages unpacked side by side, our dependencies as wheels, Go programs built here; made once.

    Raises:
        FetchError: something can't be had.
    """
    told = (*_PACKAGES, *_wheels(), (ROOT / "constraints.txt").read_text(), Path(__file__).read_text())
    stamp = hashlib.sha256("\0".join(told).encode()).hexdigest()
    if not (folder / "stamp").exists() or (folder / "stamp").read_text() != stamp:
        (folder / "stamp").unlink(missing_ok=True)
        shutil.rmtree(folder / "root", ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        archive = Archive(release="bookworm", architecture="arm64", folder=folder)
        archive.update()
        unpack(archive.download_with_needs(_PACKAGES), folder / "root")
        _unpack_signed(folder / "trixie", folder / "root" / "opt" / "trixie")
        _install_wheels(folder / "root" / "opt" / "wheels")
        (folder / "stamp").write_text(stamp)
    programs = folder / "root" / "opt" / "go-programs"
    programs.mkdir(exist_ok=True)
    for name, program in golang.for_kernels({"GOARCH": "arm64", "CGO_ENABLED": "0"}):
        shutil.copy(program, programs / name)
    return Root(
        path=folder / "root",
        python="/usr/bin/python3",
        busybox=folder / "root" / "usr" / "bin" / "busybox",
        environment={
            "HOME": "/root",
            "PATH": "/usr/sbin:/usr/bin",
            "PYTHONPATH": "/opt/wheels",
            golang.PREBUILT: "/opt/go-programs",
        },
    )


def unpack(packages: list[Path], tree: Path) -> None:
    """All of them, and the few files that their maintainer scripts would have made."""
    for name in ("bin", "sbin", "lib"):  # since bookworm these are links, and packages fill both names
        (tree / "usr" / name).mkdir(parents=True)
        (tree / name).symlink_to(f"usr/{name}")
    for package in packages:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as opened:
            laid = subprocess.run(
                ["tar", "-x", "--keep-directory-symlink", "-C", tree], stdin=opened.stdout, check=False
            )
        if opened.returncode or laid.returncode:
            raise FetchError(f"{package.name} can't be unpacked")
    shutil.copy(tree / "usr" / "share" / "base-passwd" / "passwd.master", tree / "etc" / "passwd")
    shutil.copy(tree / "usr" / "share" / "base-passwd" / "group.master", tree / "etc" / "group")
    (tree / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    for name, program in (("cc", "gcc"), ("sh", "bash")):
        (tree / "usr" / "bin" / name).symlink_to(program)
    if sys.version_info[:2] == (3, 11):  # else every start of an interpreter compiles what it imports
        run([sys.executable, "-m", "compileall", "-q", "-s", str(tree), str(tree / "usr" / "lib")])
    (tree / "mnt").mkdir(exist_ok=True)


def _unpack_signed(cache: Path, tree: Path) -> None:
    """From this release on Debian's libraries for arm64 sign their return addresses."""
    archive = Archive(release="trixie", architecture="arm64", folder=cache)
    cache.mkdir(exist_ok=True)
    tree.mkdir(parents=True)
    archive.update()
    for package in archive.download_with_needs(["libssl3t64"]):
        run(["dpkg-deb", "-x", str(package), str(tree)])


def _wheels() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *_TEST_WHEELS]


def _install_wheels(folder: Path) -> None:
    tags = [word for tag in _WHEEL_TAGS for word in ("--platform", tag)]
    run(
        [
            *(sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary=:all:"),
            *("--target", str(folder), "--python-version", _PYTHON, *tags),
            *("--constraint", str(ROOT / "constraints.txt"), *_wheels()),
        ]
    )
