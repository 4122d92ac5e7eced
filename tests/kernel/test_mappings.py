"""How soon a library is probed that nobody has met: calls of short-lived processes, each the first one with its file."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture import mappings
from agent.capture.kernel import Kernel
from agent.capture.mappings import Mappings
from agent.capture.ring import Happening
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.following import following
from tests.kernel.relay import Relay

pytestmark = pytest.mark.kernel

# A provider is farther away than a loopback; a model takes longer still to answer.
ONE_WAY_SECONDS = 0.01
COPIES = 10
EXPECTED = sorted([tls.request(300, 400), PATTERN[:400]], key=len)


@pytest.fixture
def relay(server: tls.Server) -> Iterator[Relay]:
    relay = Relay(server.port, ONE_WAY_SECONDS)
    yield relay
    relay.close()


def caught(kernel: Kernel, heard: Mappings | None, command: list[str], port: int, folder: Path) -> int:
    """Of ten processes, each the first one with its own libssl, each making one call: how many were seen whole."""
    seen = 0
    with following(kernel, heard) as watch:
        for number in range(COPIES):
            library = folder / str(heard is not None) / str(number)
            library.mkdir(parents=True)
            shutil.copy(tls.LIBSSL, library / "libssl.so.3")
            client = subprocess.Popen(
                [*command, str(port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "LD_LIBRARY_PATH": str(library)},
            )
            assert client.stdin
            client.stdin.write(b"open\ncall 300 400\n")
            client.stdin.close()
            happened: list[Happening] = []
            while client.poll() is None:
                happened += watch.drain()
                time.sleep(0.01)
            happened += watch.drain()
            assert client.returncode == 0
            seen += sorted(tls.streams(happened, client.pid).values(), key=len) == EXPECTED
    return seen


# Loads libssl when it has been at work for a while, as programs do that import an SDK.
LATE = """
import os, socket, sys, time
time.sleep(0.15)
import ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
connection = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
pattern = bytes((i * 7 + (i >> 8)) & 255 for i in range(300))
connection.sendall(b"%08d%08d" % (300, 400) + pattern)
left = 400
while left:
    left -= len(connection.recv(left))
"""


def test_the_first_process_with_a_library_is_seen(
    kernel: Kernel, c_client: list[str], relay: Relay, tmp_path: Path
) -> None:
    """One that makes a single call and ends, linked with the library."""
    assert caught(kernel, Mappings(), c_client, relay.port, tmp_path) >= 0.8 * COPIES


def test_so_is_one_that_loads_it_late(kernel: Kernel, relay: Relay, tmp_path: Path) -> None:
    """Which looking again and again finds when the call is over."""
    command = [tls.PYTHON[0], "-I", "-S", "-c", LATE]
    told = caught(kernel, Mappings(), command, relay.port, tmp_path)
    assert told >= 0.8 * COPIES
    untold = caught(kernel, None, command, relay.port, tmp_path)
    print(f"late: {told} of {COPIES} whole calls of first processes told of mappings, {untold} by looking again")
    assert untold < told / 2


def test_every_mapping_of_code_is_told(c_client: list[str]) -> None:
    """By process and file; what is mapped as data is not."""
    heard = mappings.Mappings()
    try:
        child = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
        pid, found = int(child.stdout), []
        while heard.wait(0):
            found += heard.drain()
    finally:
        heard.close()
    libc = os.stat(tls.loaded("libc.so.6"))
    assert [one for one in found if one.pid == pid and one.file.inode == libc.st_ino]
    assert heard.lost == 0


def test_whoever_maps_in_a_loop_costs_counted_loss(tmp_path: Path) -> None:
    """A ring that is full says how much it lost, and goes on."""
    file = Path(shutil.copy(tls.LIBSSL, tmp_path / "library"))
    heard = Mappings(ring_pages=1)
    try:
        code = "import mmap, sys; f = open(sys.argv[1], 'rb')\nfor _ in range(500): mmap.mmap(f.fileno(), 4096, prot=5).close()"
        # The kernel tells of a loss with the next record, on the same CPU.
        for command in (["-c", code, str(file)], ["-c", "pass"]):
            subprocess.run(["taskset", "-c", "0", tls.PYTHON[0], "-I", "-S", *command], check=True)
            assert heard.drain()
        assert heard.lost > 100
    finally:
        heard.close()
