"""GnuTLS, real probes, real TLS: what capture says is what was said, byte by byte, by a client of ours and by programs that people use."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.model import Chunk, Closed, Direction
from tests.kernel import tls
from tests.kernel.tls import Client
from tests.kernel.web import HttpsServer

pytestmark = pytest.mark.kernel

CLIENT = tls.script("gnutls_client.py")


@pytest.fixture(scope="module")
def library() -> str:
    path = tls.loaded("libgnutls.so.30")
    if not path:
        pytest.skip("needs libgnutls.so.30 (scripts/test installs it)")
    return path


@pytest.fixture
def client(server: tls.Server) -> Iterator[Client]:
    client = Client(CLIENT, server.port)
    yield client
    client.kill()


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("word", ["call", "corked", "sequence"])
def test_every_byte_once(kernel: Kernel, client: Client, library: str, word: str, first: bool) -> None:
    """Both ways, at the best sites and at the first instructions; what is written under a cork and sent at its end is not counted twice."""
    tls.converse(kernel, client, library, tls.sites(library, first_instructions=first), word)


@pytest.mark.parametrize("word", ["call", "corked"])
def test_without_cookies(old_kernel: Kernel, client: Client, library: str, word: str) -> None:
    """The way of kernels before 5.15."""
    tls.converse(old_kernel, client, library, tls.sites(library, cookies=False), word)


# ------------------------------------------------------------------------------------------------- programs of other people


@pytest.fixture
def private(library: str, tmp_path: Path) -> Path:
    """A copy that nobody else on this machine uses, so that all that is captured is this test's."""
    return Path(shutil.copy(library, tmp_path / "libgnutls.so.30"))


@pytest.fixture
def web(certificates: tuple[Path, Path]) -> Iterator[HttpsServer]:
    server = HttpsServer(certificates)
    yield server
    server.close()


PROGRAMS: dict[str, tuple[list[str], str]] = {
    "wget": (["wget", "--no-check-certificate", "-qO-", "--post-data", "p" * 30_000, "{url}"], ""),
    "git": (["git", "-c", "http.sslVerify=false", "ls-remote", "{url}"], ""),  # libcurl-gnutls
    "gnutls-cli": (["gnutls-cli", "--insecure", "-p", "{port}", "127.0.0.1"], "GET / HTTP/1.1\nHost: x\n\n"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(kernel: Kernel, web: HttpsServer, private: Path, program: str) -> None:
    """One call of each: its bytes are the server's bytes."""
    if not shutil.which(program):
        pytest.skip(f"needs {program} (scripts/test installs it)")
    words, typed = PROGRAMS[program]
    command = [word.format(url=web.url, port=web.port) for word in words]
    link = kernel.attach(str(private), tls.sites(str(private)).sites)
    try:
        environment = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(private.parent), "HOME": str(private.parent)}
        # In a folder of its own: git looks for a repository where it stands.
        done = subprocess.run(
            command,
            input=typed.encode(),
            env=environment,
            cwd=private.parent,
            capture_output=True,
            timeout=60,
            check=program == "wget",
        )
        happened = tls.until(kernel, lambda happened: any(isinstance(one, Closed) for one in happened))
    finally:
        link.close()
    assert web.calls, done.stderr
    [(received, sent)] = web.calls
    pids = {one.conn.pid for one in happened if isinstance(one, Chunk)}
    [found] = [tls.streams(happened, pid) for pid in pids]
    assert {direction: data for (_, direction), data in found.items()} == {
        Direction.SENT: received,
        Direction.RECEIVED: sent,
    }
