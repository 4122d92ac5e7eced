"""Server names, told by packets: of whichever library, wherever it is in a connection's beginning, in however many packets; and whose calls were read."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.demo.sandbox import cgroup_root
from agent.model import Hello, Joined, Workload
from agent.pipeline.hellos import SETTLE_NS, Fate
from agent.pipeline.pipeline import BY_SERVER_NAME
from tests import rust
from tests.kernel import tls
from tests.kernel.plain_server import PlainServer
from tests.kernel.watcher import Watcher
from tests.kernel.web import HttpsServer
from tests.protocol.test_client_hello import RECORDED, extension, message, named, record

pytestmark = pytest.mark.kernel

HELLO = record(message(named(b"api.openai.com")))
SHORT = record(message(named(b"x.co")))
# With a key share as those that resist quantum computers are.
LONG = record(message(extension(51, bytes(1_200)) + named(b"api.openai.com") + extension(21, bytes(600))))
LONGEST = record(message(named(b"api.openai.com") + extension(21, bytes(9_000))))
COOKIE = 57  # SO_COOKIE


class Pair:
    """A connection of the test's own, whose bytes nobody takes for TLS but who looks at packets."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, 0), family=family) as listener:
            self.client = socket.create_connection(listener.getsockname()[:2])
            self.server, _ = listener.accept()
        self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cookie = int.from_bytes(self.client.getsockopt(socket.SOL_SOCKET, COOKIE, 8), sys.byteorder)

    def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.client.sendall(piece)
            assert _exactly(self.server, len(piece)) == piece

    def hear(self, data: bytes) -> None:
        self.server.sendall(data)
        assert _exactly(self.client, len(data)) == data

    def told(self, kernel: Kernel) -> list[Hello]:
        return [one for one in kernel.poll() if isinstance(one, Hello) and one.cookie == self.cookie]

    def close(self) -> None:
        self.client.close()
        self.server.close()


def _exactly(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := end.recv(size - len(data))):
        data += part
    return data


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


# ---------------------------------------------------------------------------------------------------------------- packets


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("data", [HELLO, LONG, *(one.data for one in RECORDED[:1])], ids=["short", "long", "recorded"])
def test_a_packet_that_opens_tls(kernel: Kernel, host: str, data: bytes) -> None:
    """All of it, once, with its socket and group; what follows is nobody's business."""
    pair = Pair(host)
    try:
        pair.say(data)
        pair.hear(b"\x16\x03\x03\0\x05\x02\0\0\x01\0")
        pair.say(b"\x17\x03\x03\0\x05hello", data)
        (told,) = pair.told(kernel)
    finally:
        pair.close()
    assert (told.position, told.data, told.lost) == (0, data, 0)
    assert (
        told.cgroup_id
        == os.stat(cgroup_root() / Path("/proc/self/cgroup").read_text().split("::")[1].strip(" /\n")).st_ino
    )
    assert abs(told.at_ns - time.time_ns()) < 10**9


@pytest.mark.parametrize(("data", "size"), [(SHORT, 6), (LONG, 200), (LONG, 1_448)])
def test_a_hello_of_several_packets(kernel: Kernel, pair: Pair, data: bytes, size: int) -> None:
    """Each is told, with its place; the record's length says where it ends."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    pair.say(*pieces, b"\x14\x03\x03\0\x01\x01")
    assert [(one.position, one.data) for one in pair.told(kernel)] == list(
        zip(range(0, len(data), size), pieces, strict=True)
    )


def test_of_too_many_packets_the_first_are_told(kernel: Kernel, pair: Pair) -> None:
    """As many as are looked into; what comes behind is missing, not made up."""
    pieces = [bytes([byte]) for byte in LONG[6:40]]
    pair.say(LONG[:6], *pieces)
    assert b"".join(one.data for one in pair.told(kernel)) == LONG[: 6 + 15]


def test_of_the_longest_the_beginning_is_told(kernel: Kernel, pair: Pair) -> None:
    """And how much more there was."""
    pair.say(LONGEST)
    (told,) = pair.told(kernel)
    assert told.data == LONGEST[:4096]
    assert told.lost == len(LONGEST) - 4096


def test_behind_a_proxys_word(kernel: Kernel, pair: Pair) -> None:
    """CONNECT, refused and asked again, then TLS on the same connection."""
    for answer in (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"):
        pair.say(b"CONNECT api.openai.com:443 HTTP/1.1\r\n\r\n")
        pair.hear(answer)
    pair.say(HELLO)
    assert [one.data for one in pair.told(kernel)] == [HELLO]


@pytest.mark.parametrize("how", ["sent", "received"])
def test_old_connections_are_not_looked_into(kernel: Kernel, pair: Pair, how: str) -> None:
    """That is what keeps every packet cheap: who has said much, or been told much, is no longer opening TLS."""
    if how == "sent":
        pair.say(*[b"x"] * 16)
    else:
        pair.say(b"GET / HTTP/1.1\r\n\r\n")
        pair.hear(bytes(8_193))
    pair.say(HELLO)
    assert pair.told(kernel) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"\x16", HELLO[:5], b"\x17" + HELLO[1:], b"\x16\x04" + HELLO[2:], HELLO[:5] + b"\x02" + HELLO[6:], bytes(99)],
)
def test_what_is_no_hello(kernel: Kernel, pair: Pair, data: bytes) -> None:
    """Not a server's either, nor one of which less than six bytes come first."""
    pair.say(data, data)
    assert pair.told(kernel) == []


def test_who_opens_without_end_takes_nobody_elses_room(kernel: Kernel) -> None:
    """So many a second are told of a group; the others are counted, and the group's next one says how many they were."""
    before = kernel.counters()["hellos_untold"]
    started = time.monotonic()
    pairs = [Pair() for _ in range(400)]
    try:
        for one in pairs:
            one.say(HELLO)
        seconds = time.monotonic() - started
        cookies = {one.cookie for one in pairs}
        told = [one for one in kernel.poll() if isinstance(one, Hello) and one.cookie in cookies]
        time.sleep(1.1)
        last = Pair()
        pairs.append(last)
        last.say(HELLO)
        (after,) = last.told(kernel)
    finally:
        for one in pairs:
            one.close()
    untold = kernel.counters()["hellos_untold"] - before
    assert untold >= 400 - 128 * (seconds + 2)
    assert untold > 0
    assert len(told) + untold >= 400
    assert after.untold >= untold


# ---------------------------------------------------------------------------------------------------------------- clients


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A pod's uid and its container's cgroup."""
    uid = f"{os.getpid():08d}-0000-4000-8000-000000000000"
    folder = (
        cgroup_root() / f"kubepods-besteffort-pod{uid.replace('-', '_')}.slice" / f"cri-containerd-{'a' * 64}.scope"
    )
    folder.mkdir(parents=True)
    yield uid, folder
    end = time.monotonic() + 10
    while (folder / "cgroup.procs").read_text() and time.monotonic() < end:
        time.sleep(0.05)
    folder.rmdir()
    folder.parent.rmdir()


@pytest.fixture
def watcher(kernel: Kernel) -> Iterator[Watcher]:
    """Of all who load the Python's OpenSSL, and of nobody else."""
    link = kernel.attach(tls.LIBSSL, tls.sites(tls.LIBSSL).sites)
    yield Watcher(kernel, lambda call: call.reading.requested_model.startswith("port-"))
    link.close()


def inside(folder: Path, *command: object) -> list[str]:
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(folder), *map(str, command)]


def became(watcher: Watcher, monkeypatch: pytest.MonkeyPatch, uid: str) -> dict[tuple[str, str], int]:
    """Of the pod's connections, when their time is over: by provider and outcome."""
    accepted: dict[tuple[str, str], int] = {}

    def accept(workload: Workload, provider: str, joined: Joined, number: int) -> None:
        if workload.pod_uid == uid:
            accepted[provider, str(joined)] = accepted.get((provider, str(joined)), 0) + number

    monkeypatch.setattr(watcher.joining.told, "accept", accept)
    watcher.joining.tick(time.time_ns() + SETTLE_NS)
    return accepted


CLIENT = (sys.executable, tls.FOLDER / "hello_client.py")


@pytest.mark.parametrize("how", ["whole", "split"])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_client_that_is_read(
    watcher: Watcher,
    pod: tuple[str, Path],
    certificates: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    version: str,
    how: str,
) -> None:
    """Its call says the name that it was opened with, though it knows its host by address; its connection is counted once, as read."""
    model = PlainServer(host, certificate=certificates, answers_after=0.05)
    try:
        words = ["split"] if how == "split" else []
        command = inside(pod[1], *CLIENT, host, model.port, "api.openai.com", *words)
        watcher.run(command, {"TLS": version})
    finally:
        model.close()
    (call,) = watcher.calls
    assert call.server_name == "api.openai.com"
    assert call.reading.requested_model == f"port-{model.port}"
    assert became(watcher, monkeypatch, pod[0]) == {("openai", "read"): 1}


def test_names_of_others_are_counted_and_go_no_further(
    watcher: Watcher, pod: tuple[str, Path], certificates: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the call is read."""
    before = watcher.joining.hellos.fates[Fate.OTHER]
    model = PlainServer(certificate=certificates, answers_after=0.05)
    try:
        watcher.run(inside(pod[1], *CLIENT, "127.0.0.1", model.port, "bank.example"), {"TLS": "TLSv1_3"})
    finally:
        model.close()
    (call,) = watcher.calls
    assert call.server_name == ""
    assert watcher.joining.hellos.fates[Fate.OTHER] > before
    assert became(watcher, monkeypatch, pod[0]) == {}


def test_a_library_that_nobody_reads(
    watcher: Watcher,
    pod: tuple[str, Path],
    certificates: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Java's own TLS, on a port that is no sign of anything: the pod has a connection to a model API that was not read."""
    if not shutil.which("java"):
        pytest.skip("needs java")
    server = HttpsServer(certificates)
    (tmp_path / "hosts").write_text("127.0.0.1 api.anthropic.com\n")
    java = ("java", f"-Djdk.net.hosts.file={tmp_path / 'hosts'}", tls.FOLDER / "java" / "Client.java")
    command = inside(pod[1], *java, f"api.anthropic.com:{server.port}")
    try:
        answer = subprocess.run(command, input="call\n", capture_output=True, text=True, check=True, timeout=240).stdout
        watcher.take()
    finally:
        server.close()
    assert answer.startswith("ok")
    assert len(server.calls) == 1
    assert became(watcher, monkeypatch, pod[0]) == {("anthropic", "not_read"): 1}


def test_a_stripped_rustls(
    kernel: Kernel,
    watcher: Watcher,
    pod: tuple[str, Path],
    certificates: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """There is nothing in it to probe; that four of its pod's five connections to a model API were not read is told all the same."""
    program = tmp_path / "client"
    subprocess.run(["strip", "-o", program, rust.build("rustls", "new")], check=True)
    assert tls.sites(str(program), cookies=kernel.cookies).sites == ()
    model = PlainServer(certificate=certificates, answers_after=0.05)
    try:
        asks = f"ask api.openai.com {' '.join([str(model.port)] * 4)}\n"
        subprocess.run(inside(pod[1], program, 0), input=asks, text=True, check=True, timeout=60)
        watcher.run(inside(pod[1], *CLIENT, "127.0.0.1", model.port, "api.openai.com"), {"TLS": "TLSv1_3"})
    finally:
        model.close()
    assert len(model.books) == 3 * 4 + 1
    assert len(watcher.calls) == 1
    assert became(watcher, monkeypatch, pod[0]) == {("openai", "not_read"): 4, ("openai", "read"): 1}


def test_a_library_that_is_probed_late(kernel: Kernel, provider: tls.Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Host and path of HTTP/2 were said before its probes came; whose it is says the name that TLS was opened with, not the model's maker."""
    monkeypatch.setenv("SERVER_NAME", "openrouter.ai")
    client = tls.Client([sys.executable, str(tls.FOLDER / "http2_client.py")], provider.port)
    try:
        watcher = Watcher(kernel, lambda call: call.conn.pid == client.pid)
        client.say("open", "call 3")
        watcher.take()
        link = kernel.attach(tls.LIBSSL, tls.sites(tls.LIBSSL).sites, pid=client.pid)
        try:
            client.say("call 10")
            watcher.until(lambda: len(watcher.calls) == 10)
        finally:
            link.close()
    finally:
        client.kill()
    assert {(call.provider, call.host) for call in watcher.calls} == {("openrouter", "openrouter.ai")}
    assert {call.reading.requested_model for call in watcher.calls} == {"gpt-4o-mini"}
    assert all(BY_SERVER_NAME in call.reading.remarks for call in watcher.calls)
