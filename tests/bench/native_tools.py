"""Builds and starts the C programs of ``native/``; a certificate for the fake provider."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SOURCES = Path(__file__).parent / "native"
LIBRARIES = {
    "pair": ["-lssl", "-lcrypto"],
    "calls": [],
    "client": ["-lssl", "-lcrypto", "-pthread"],
    # Static: probes on the shared library must not see the provider.
    "server": ["-l:libssl.a", "-l:libcrypto.a", "-pthread", "-ldl"],
}


def build(name: str, folder: Path) -> Path:
    """Compile ``native/NAME.c`` into ``folder``."""
    program = folder / name
    if not program.exists():
        source = SOURCES / f"{name}.c"
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", source, "-o", program, *LIBRARIES[name]], check=True)
    return program


def own_library(folder: Path) -> dict[str, str]:
    """
    An environment in which programs load a libssl of their own: a copy, so that no other agent's probes are in the figures and ours
    touch nobody else.
    """
    program = build("pair", folder)
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    library = next(line.split()[2] for line in listed.splitlines() if "libssl" in line)
    copy = folder / "lib" / Path(library).name
    if not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(library, copy)
    return {**os.environ, "LD_LIBRARY_PATH": str(copy.parent)}


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    if not cert.exists():
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:api.openai.com,IP:127.0.0.1"]
        subprocess.run([*command, "-days", "30", "-keyout", key, "-out", cert, *names], check=True, capture_output=True)
    return cert, key


@contextmanager
def server(folder: Path, answers: Mapping[str, bytes]) -> Iterator[int]:
    """The fake provider on loopback, answering ``…?NAME`` with ``answers[NAME]``; yields its port."""
    program = build("server", folder)
    cert, key = certificate(folder)
    arguments = []
    for name, data in answers.items():
        (folder / name).write_bytes(data)
        arguments.append(f"{name}={folder / name}")
    with subprocess.Popen([program, cert, key, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="podtab-bench-") as folder:
        yield Path(folder)
