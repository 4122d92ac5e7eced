"""A TLS server that keeps books, clients that do what they are told, and what capture made of them."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.capture.elf import ElfFile
from agent.capture.kernel import Kernel
from agent.capture.links import Link
from agent.capture.plan import Plan
from agent.capture.ring import Happening
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.doctor.selftests import own_library
from agent.model import Chunk, Closed, ConnId, Direction
from tests.kernel.client import PATTERN

__all__ = ["ElfFile", "Happening", "Link"]  # for the tests as well

LIBSSL = own_library()
FOLDER = Path(__file__).parent


class Server:
    """Answers ``SENT RECEIVED`` heads with RECEIVED bytes of the pattern.  Runs in threads of the tests' own process."""

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.hold = threading.Event()
        """Cleared: answers wait in the middle."""
        self.hold.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with plain:
            # Two writes an answer: else the second one waits 40 ms for the client's delayed acknowledgement.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                with self._context.wrap_socket(plain, server_side=True) as connection:
                    while head := _exactly(connection, 16):
                        sent, received = int(head[:8]), int(head[8:])
                        if _exactly(connection, sent) != PATTERN[:sent]:
                            return
                        connection.sendall(PATTERN[: received // 2])
                        self.hold.wait(timeout=60)
                        connection.sendall(PATTERN[received // 2 : received])
            except OSError:
                return  # a client that was killed

    def close(self) -> None:
        self.hold.set()
        self._listener.close()


def _exactly(connection: ssl.SSLSocket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            return b""
        parts += part
    return bytes(parts)


class Client:
    """One client process."""

    def __init__(self, command: list[str], port: int | str) -> None:
        self.process = subprocess.Popen(
            [*command, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.pid = self.process.pid

    def say(self, *lines: str) -> int:
        """Each line, waiting for its ``ok``; the pid of who answered last."""
        pid = 0
        for line in lines:
            self.begin(line)
            pid = self.wait()
        return pid

    def begin(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait(self) -> int:
        assert self.process.stdout
        word, _, pid = self.process.stdout.readline().partition(" ")
        assert word == "ok", f"the client ended with {self.process.wait()}"
        return int(pid)

    def end(self) -> int:
        """End of input, so end of the client; its exit code."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code

    def kill(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stdin.close()


class Provider(NamedTuple):
    """The demo's provider as a process of its own: HTTP/1.1, HTTP/2 and TLS, with books."""

    port: int
    books: Path
    pid: int


PYTHON = [sys.executable, "-I", "-S", str(FOLDER / "client.py")]


def build_client(folder: Path) -> list[str]:
    program = folder / "client"
    if not program.exists():
        subprocess.run(["cc", "-O2", FOLDER / "native" / "client.c", "-o", program, "-lssl", "-lcrypto"], check=True)
    return [str(program)]


def best_plan(*, uretprobe_safe: bool = True, cookies: bool = True) -> Plan:
    with open(LIBSSL, "rb") as file:
        return plan(ElfFile(file), Abilities(uretprobe_safe=uretprobe_safe, cookies=cookies))


def pretend_kernel(monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    """What is loaded from now on is what an older kernel would get."""
    uname = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*uname[:2], release, *uname[3:])))


def until(kernel: Kernel, enough: Callable[[list[Happening]], bool], seconds: float = 20) -> list[Happening]:
    """Poll until ``enough`` or out of patience; what came."""
    happened: list[Happening] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        happened += kernel.poll()
        if enough(happened):
            break
        time.sleep(0.01)
    return happened


def chunks(happened: Iterable[Happening], pid: int) -> list[Chunk]:
    return [happening for happening in happened if isinstance(happening, Chunk) and happening.conn.pid == pid]


def closed(happened: Iterable[Happening], pid: int) -> list[Closed]:
    return [happening for happening in happened if isinstance(happening, Closed) and happening.conn.pid == pid]


def streams(happened: Iterable[Happening], pid: int) -> dict[tuple[ConnId, Direction], bytes]:
    """Bytes by connection and direction; a hole fails."""
    found: dict[tuple[ConnId, Direction], bytes] = {}
    for chunk in chunks(happened, pid):
        before = found.get((chunk.conn, chunk.direction), b"")
        assert chunk.position == len(before), "a hole"
        assert not chunk.lost
        found[chunk.conn, chunk.direction] = before + chunk.data
    return found


def request(sent: int, received: int) -> bytes:
    """What a client's ``call`` writes."""
    return b"%08d%08d" % (sent, received) + PATTERN[:sent]


SIZES = (1, 240, 1009, 16368, 16384, 40_000)
CALLS = [(size, answer) for size, answer in zip(SIZES, reversed(SIZES), strict=True)]


def script(name: str) -> list[str]:
    """A client of this folder that speaks through ctypes."""
    return [sys.executable, "-I", "-S", str(FOLDER / name)]


def loaded(library: str) -> str:
    """The file that a process gets who loads ``library``; "" where there is none."""
    code = f"import ctypes; ctypes.CDLL({library!r}); print(open('/proc/self/maps').read())"
    said = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False).stdout
    name = library.partition(".so")[0]
    return next((line.split()[-1] for line in said.splitlines() if f"/{name}.so" in line), "")


def sites(library: str, **abilities: bool) -> Plan:
    with open(library, "rb") as file:
        return plan(ElfFile(file), Abilities(**{"uretprobe_safe": True, **abilities}))


def converse(
    kernel: Kernel, client: Client, path: str, chosen: Plan, word: str, calls: Sequence[tuple[int, int]] = CALLS
) -> None:
    """Calls of all sizes on two connections; then what was captured is compared."""
    link = kernel.attach(path, chosen.sites, pid=client.pid)
    try:
        for _ in range(2):
            client.say("open", *(f"{word} {sent} {received}" for sent, received in calls), "close")
        happened = until(kernel, lambda happened: len(closed(happened, client.pid)) == 2)
    finally:
        link.close()
    said = b"".join(request(*call) for call in calls)
    heard = b"".join(PATTERN[:received] for _, received in calls)
    found = streams(happened, client.pid)
    assert [data for (_, direction), data in found.items() if direction is Direction.SENT] == [said] * 2
    assert [data for (_, direction), data in found.items() if direction is Direction.RECEIVED] == [heard] * 2
    assert {event.conn for event in closed(happened, client.pid)} == {conn for conn, _ in found}
