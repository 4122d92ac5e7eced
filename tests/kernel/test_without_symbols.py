"""
OpenSSL and BoringSSL built in and stripped, real probes, real TLS: what capture says is what the server's books say.

Functions are found by signatures alone: a test of its own says that no symbol is left that would help.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.elf import ElfFile
from agent.capture.kernel import Kernel
from agent.capture.plan import Plan
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.model import Chunk, Closed, Direction
from tests.kernel import packages, tls
from tests.kernel.client import PATTERN
from tests.kernel.tls import Client
from tests.kernel.web import HttpsServer

pytestmark = pytest.mark.kernel

SIZES = (1, 240, 1009, 16368, 16384, 40_000)
CALLS = [(size, answer) for size, answer in zip(SIZES, reversed(SIZES), strict=True)]
STATIC_LIBRARIES = ["-l:libssl.a", "-l:libcrypto.a", "-ldl", "-lpthread"]


def sites(path: Path, *, uretprobe_safe: bool = True) -> Plan:
    with path.open("rb") as file:
        found = plan(ElfFile(file), Abilities(uretprobe_safe=uretprobe_safe))
    assert found.sites, found
    return found


def of_files(happened: list[tls.Happening]) -> dict[Direction, list[bytes]]:
    """Each direction's streams, whatever process had them."""
    found: dict[Direction, list[bytes]] = {Direction.SENT: [], Direction.RECEIVED: []}
    for pid in sorted({one.conn.pid for one in happened if isinstance(one, Chunk)}):
        for (_, direction), data in tls.streams(happened, pid).items():
            found[direction].append(data)
    return found


# ------------------------------------------------------------------------------------------------------ static programs


@pytest.fixture(scope="module")
def static_client(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The C client with the distribution's libssl.a: position-independent and with fixed addresses, both stripped."""
    folder = tmp_path_factory.mktemp("static")
    made = []
    for name, options in {"pie": ["-pie"], "fixed": ["-no-pie"]}.items():
        whole = folder / f"whole-{name}"
        source = tls.FOLDER / "native" / "client.c"
        subprocess.run(["cc", "-O2", *options, source, "-o", whole, *STATIC_LIBRARIES], check=True)
        made.append(folder / name)
        subprocess.run(["strip", "-o", made[-1], whole], check=True)
    return made


@pytest.mark.parametrize("number", [0, 1], ids=["pie", "fixed"])
def test_a_stripped_static_program(kernel: Kernel, server: tls.Server, static_client: list[Path], number: int) -> None:
    """Every byte both ways, in order, and each connection's end, though SSL_free has no name any more."""
    program = static_client[number]
    client = Client([str(program)], server.port)
    link = kernel.attach(str(program), sites(program).sites, pid=client.pid)
    try:
        for _ in range(2):
            client.say("open", *(f"call {sent} {received}" for sent, received in CALLS), "close")
        happened = tls.until(kernel, lambda happened: len(tls.closed(happened, client.pid)) == 2)
    finally:
        link.close()
        client.kill()
    said = b"".join(tls.request(*call) for call in CALLS)
    heard = b"".join(PATTERN[:received] for _, received in CALLS)
    found = tls.streams(happened, client.pid)
    assert [data for (_, direction), data in found.items() if direction is Direction.SENT] == [said] * 2
    assert [data for (_, direction), data in found.items() if direction is Direction.RECEIVED] == [heard] * 2


# ---------------------------------------------------------------------------------------------- modules and other programs


@pytest.fixture
def web(certificates: tuple[Path, Path]) -> Iterator[HttpsServer]:
    server = HttpsServer(certificates)
    yield server
    server.close()


PYTHON: dict[str, tuple[packages.Build, str]] = {
    "pyopenssl": (
        packages.PYOPENSSL,
        """
import socket, sys
from OpenSSL import SSL
context = SSL.Context(SSL.TLS_CLIENT_METHOD)
for _ in range(2):
    connection = SSL.Connection(context, socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    connection.set_connect_state()
    connection.do_handshake()
    connection.sendall(b"POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 30000\\r\\n\\r\\n" + b"p" * 30000)
    try:
        while connection.recv(65536):
            pass
    except (SSL.ZeroReturnError, SSL.SysCallError):
        pass
    connection.close()
    del connection
""",
    ),
    "curl_cffi": (
        packages.CURL_CFFI,
        """
import sys
from curl_cffi import requests
for _ in range(2):
    requests.post(f"https://127.0.0.1:{sys.argv[1]}/", data=b"p" * 30000, verify=False, http_version="v1")
""",
    ),
}


@pytest.mark.parametrize("name", PYTHON)
def test_modules_of_python(kernel: Kernel, web: HttpsServer, name: str) -> None:
    """OpenSSL 4.0 inside cryptography's module, BoringSSL inside curl_cffi's: two connections each, and not a byte more or less."""
    build, script = PYTHON[name]
    converse(kernel, web, build, [sys.executable, "-I", "-c", packages.importing(build) + script, str(web.port)], 2)


def test_bun(kernel: Kernel, web: HttpsServer) -> None:
    """BoringSSL inside a program of fixed addresses without an unwind table."""
    script = f"""
for (let n = 0; n < 2; n++) {{
  const answer = await fetch("https://127.0.0.1:{web.port}/", {{method: "POST", body: "p".repeat(30000), tls: {{rejectUnauthorized: false}}}});
  await answer.arrayBuffer();
}}"""
    converse(kernel, web, packages.BUN, [str(packages.BUN.file()), "-e", script], 2)


def converse(kernel: Kernel, web: HttpsServer, build: packages.Build, command: list[str], connections: int) -> None:
    """Each connection's bytes are the server's books."""
    library = build.file()
    link = kernel.attach(str(library), sites(library).sites)
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False, text=True)
        assert not done.returncode, done.stderr
        happened = tls.until(kernel, lambda happened: sum(isinstance(one, Closed) for one in happened) >= connections)
    finally:
        link.close()
    assert len(web.calls) == connections
    found = of_files(happened)
    assert found[Direction.SENT] == [received for received, _ in web.calls]
    assert found[Direction.RECEIVED] == [sent for _, sent in web.calls]
