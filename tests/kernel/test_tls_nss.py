"""NSS, real probes, real TLS: what capture says is what was said, byte by byte, by a client of ours and by programs that people use."""

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

CLIENT = tls.script("nss_client.py")
WORDS = ("call", "flags", "vector")


@pytest.fixture(scope="module")
def library() -> str:
    path = tls.loaded("libssl3.so")
    if not path:
        pytest.skip("needs libssl3.so (scripts/test installs it)")
    return path


@pytest.fixture
def client(library: str, server: tls.Server) -> Iterator[Client]:
    client = Client(CLIENT, server.port)
    yield client
    client.kill()


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("word", WORDS)
def test_every_byte_once(kernel: Kernel, client: Client, library: str, word: str, first: bool) -> None:
    """Both ways, at the best sites and at the first instructions; what is only looked at is not counted."""
    tls.converse(kernel, client, library, tls.sites(library, first_instructions=first), word)


@pytest.mark.parametrize("word", WORDS)
def test_without_cookies(old_kernel: Kernel, client: Client, library: str, word: str) -> None:
    """The way of kernels before 5.15."""
    tls.converse(old_kernel, client, library, tls.sites(library, cookies=False), word)


def test_what_is_no_tls_is_not_even_a_hit(kernel: Kernel, client: Client, library: str) -> None:
    """PR_Read and PR_Write of files and of sockets without TLS run no program: no thread of the client's becomes known."""
    link = kernel.attach(library, tls.sites(library).sites, pid=client.pid)
    try:
        before = kernel.map_sizes()["threads"]
        client.say("file 40000 40000")
        assert kernel.map_sizes()["threads"] == before
        client.say("open", "call 10 20")
        happened = tls.until(kernel, lambda all_: len(tls.streams(all_, client.pid)) == 2)
        assert kernel.map_sizes()["threads"] == before + 1
    finally:
        link.close()
    assert sorted(map(len, tls.streams(happened, client.pid).values())) == [20, 26]


# ------------------------------------------------------------------------------------------------- programs of other people


@pytest.fixture
def web(certificates: tuple[Path, Path]) -> Iterator[HttpsServer]:
    server = HttpsServer(certificates)
    yield server
    server.close()


def test_a_program_of_other_people(kernel: Kernel, web: HttpsServer, library: str, tmp_path: Path) -> None:
    """NSS's own client tstclnt: its bytes are the server's bytes."""
    if not shutil.which("tstclnt"):
        pytest.skip("needs tstclnt (scripts/test installs it)")
    # A copy that nobody else on this machine uses, so that all that is captured is this test's.
    private = shutil.copy(library, tmp_path / "libssl3.so")
    (tmp_path / "request").write_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    command = ["tstclnt", "-b", "-D", "-o", "-h", "127.0.0.1", "-p", str(web.port), "-A", str(tmp_path / "request")]
    environment = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(tmp_path), "HOME": str(tmp_path)}
    link = kernel.attach(private, tls.sites(private).sites)
    try:
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
        happened = tls.until(kernel, lambda happened: any(isinstance(one, Closed) for one in happened))
    finally:
        link.close()
    [(received, sent)] = web.calls
    [pid] = {one.conn.pid for one in happened if isinstance(one, Chunk)}
    found = tls.streams(happened, pid)
    assert {direction: data for (_, direction), data in found.items()} == {
        Direction.SENT: received,
        Direction.RECEIVED: sent,
    }
