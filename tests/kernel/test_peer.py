"""
Whom a TLS connection goes to, real clients, real sockets: what is told is right, and what can't be known is not told.

Each server is another port, and each call's model is the port that was asked.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.peers import Fate
from agent.model import Call, Peer
from tests import golang
from tests.kernel import tls
from tests.kernel.http2_models import Http2Model
from tests.kernel.plain_server import ANSWERS_AFTER, PlainServer
from tests.kernel.watcher import Watcher

pytestmark = pytest.mark.kernel

PATH = "/v1/chat/completions"
PYTHON = [sys.executable, str(Path(__file__).parent / "peer_client.py")]


def asked(call: Call) -> int:
    return int(call.reading.requested_model.removeprefix("port-"))


def right(call: Call, models: Sequence[PlainServer | Http2Model]) -> bool:
    (url,) = (model.url for model in models if model.port == asked(call))
    return call.peer == Peer(address=str(urlsplit(url).hostname), port=asked(call))


def held(kernel: Kernel) -> tuple[int, int]:
    """What is kept of descriptors."""
    sizes = kernel.map_sizes()
    return sizes["descriptors"], sizes["holders"]


def by_hand(url: str) -> str:
    return json.dumps({"model": f"port-{url.rpartition(':')[2].partition('/')[0]}", "messages": []})


def wget(times: int, url: str) -> list[str]:
    options = ["-q", "--no-check-certificate", "-O", os.devnull, "--header=Content-Type: application/json"]
    return ["wget", *options, f"--post-data={by_hand(url)}", *[url] * times]


@pytest.mark.parametrize("kind", ["requests", "short"])
def test_a_descriptor_that_was_given(
    watch: Callable[[str], tuple[Kernel, Watcher]], models: list[PlainServer], kind: str
) -> None:
    """CPython's blocking connections, kept or new for each call: every call has its peer, IPv6 and the same numbers again included."""
    kernel, watcher = watch(tls.LIBSSL)
    watcher.run([*PYTHON, kind, "5", *(model.url + PATH for model in models)])
    assert len(watcher.calls) == 5 * len(models)
    assert all(right(call, models) for call in watcher.calls)
    assert {asked(call) for call in watcher.calls} == {model.port for model in models}
    connections = {call.conn for call in watcher.calls}
    assert len(connections) == len(models) * (1 if kind == "requests" else 5)
    watcher.take()
    # Of whoever else speaks on this machine, too.  On a slow one a connection may be gone when its number is looked up: then its packets told.
    fates = kernel.peers.fates
    assert fates[Fate.GIVEN] + fates[Fate.PACKET] >= len(connections)
    assert fates[Fate.GIVEN] > len(connections) / 2


def test_gnutls(watch: Callable[[str], tuple[Kernel, Watcher]], models: list[PlainServer]) -> None:
    """wget."""
    library = tls.loaded("libgnutls.so.30")
    if shutil.which("wget") is None or not library:
        pytest.skip("needs wget with GnuTLS")
    kernel, watcher = watch(library)
    before = held(kernel)
    for model in models:
        watcher.run(wget(3, model.url + PATH))
    assert len(watcher.calls) == 3 * len(models)
    assert all(right(call, models) for call in watcher.calls)
    assert held(kernel) == before


@pytest.mark.parametrize("toolchain", ["", golang.OLDER])
def test_go(
    kernel: Kernel,
    watch: Callable[[str], tuple[Kernel, Watcher]],
    models: list[PlainServer],
    certificates: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    toolchain: str,
) -> None:
    """Out of the connection's memory, where compilers years apart put it."""
    if not kernel.cookies:
        pytest.skip("kernels before 5.15 have no cookies: Go is told as unreadable there")
    program = str(golang.build("ask", toolchain=toolchain))
    _, watcher = watch(program)
    before, unreadable = held(kernel), kernel.counters()["descriptors_unreadable"]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates[0]))
    reachable = [model for model in models if "127.0.0.1" in model.url]  # as the certificate says
    for model in reachable:
        watcher.run([program, model.url + PATH, by_hand(model.url), "3"])
    assert len(watcher.calls) == 3 * len(reachable)
    assert all(right(call, models) for call in watcher.calls)
    watcher.take()
    assert kernel.peers.fates[Fate.MEMORY] == len(reachable)
    assert kernel.counters()["descriptors_unreadable"] == unreadable
    assert held(kernel) == before


def test_who_is_gone_before_anybody_looks(
    watch: Callable[[str], tuple[Kernel, Watcher]], certificates: tuple[Path, Path]
) -> None:
    """All is over, and the number is another connection's, when the request is read: its packets may have said it, or nothing is told."""
    models = [PlainServer(certificate=certificates) for _ in range(2)]
    try:
        kernel, watcher = watch(tls.LIBSSL)
        command = [*PYTHON, "short", "10", *(model.url + PATH for model in models)]
        subprocess.run(command, check=True)
        watcher.take()
        watcher.take()
    finally:
        for model in models:
            model.close()
    assert len(watcher.calls) == 20
    assert all(call.peer in (None, Peer(address="127.0.0.1", port=asked(call))) for call in watcher.calls)
    fates = kernel.peers.fates
    assert fates[Fate.PACKET] + fates[Fate.NO_DESCRIPTOR] >= 20


CURL = ["curl", "-sk", "-o", os.devnull, "-H", "Content-Type: application/json"]
NODE = """
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
const [times, ...urls] = process.argv.slice(1);
const ask = async (url) => {
  const body = JSON.stringify({model: "port-" + new URL(url).port, messages: []});
  const answer = await fetch(url, {method: "POST", body, headers: {"content-type": "application/json"}});
  await answer.text();
};
for (let time = 0; time < times; time++) await Promise.all(urls.map(ask));
"""


def told(watcher: Watcher, models: Sequence[PlainServer | Http2Model]) -> float:
    """The share of calls whose peer is told; and none is told wrongly."""
    assert all(call.peer is None or right(call, models) for call in watcher.calls)
    return sum(call.peer is not None for call in watcher.calls) / len(watcher.calls)


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_asyncio_is_known_by_its_packets(
    watch: Callable[[str], tuple[Kernel, Watcher]], models: list[PlainServer], version: str
) -> None:
    """It carries the library's bytes itself, many connections on one thread, all as long as each other."""
    kernel, watcher = watch(tls.LIBSSL)
    watcher.run([*PYTHON, "aiohttp", "3", *(model.url + PATH for model in models for _ in range(5))], {"TLS": version})
    assert len(watcher.calls) == 15 * len(models)
    assert told(watcher, models) == 1
    watcher.take()
    assert kernel.peers.fates[Fate.PACKET] >= 5 * len(models)


def test_a_pointer_that_comes_again(watch: Callable[[str], tuple[Kernel, Watcher]], models: list[PlainServer]) -> None:
    """One connection of a thread after the other, in the same memory: that the last one's socket was known says nothing of the next one's."""
    kernel, watcher = watch(tls.LIBSSL)
    before = kernel.peers.fates[Fate.PACKET]
    watcher.run([*PYTHON, "in-turn", "2", *(model.url + PATH for model in models)])
    assert len(watcher.calls) == 2 * 6 * len(models)
    assert told(watcher, models) == 1
    watcher.take()
    assert kernel.peers.fates[Fate.PACKET] - before == 2 * 2 * len(models)


def test_curl_is_known_by_its_packets(
    watch: Callable[[str], tuple[Kernel, Watcher]], models: list[PlainServer]
) -> None:
    """Its versions differ: one gives OpenSSL its descriptor, a later one its own functions, inside which packets leave."""
    _, watcher = watch(tls.loaded("libssl.so.3") or tls.LIBSSL)
    for model in models:
        watcher.run([*CURL, "-d", by_hand(model.url), model.url + PATH])
    assert len(watcher.calls) == len(models)
    assert told(watcher, models) == 1


def test_node_is_known_by_its_packets(
    watch: Callable[[str], tuple[Kernel, Watcher]], models: list[PlainServer]
) -> None:
    """Its library speaks to memory, and libuv to the socket."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    _, watcher = watch(node if b"SSL_write" in Path(node).read_bytes() else tls.LIBSSL)
    command = [node, "--no-warnings", "--input-type=module", "-e", NODE, "4"]
    watcher.run([*command, *(model.url + PATH for model in models)])
    assert len(watcher.calls) == 4 * len(models)
    assert told(watcher, models) == 1


def test_two_hundred_at_once(watch: Callable[[str], tuple[Kernel, Watcher]], certificates: tuple[Path, Path]) -> None:
    """Of one thread, to twenty servers, each write as long as every other: each is told right, or not at all."""
    models = [PlainServer(certificate=certificates, answers_after=ANSWERS_AFTER) for _ in range(20)]
    try:
        _, watcher = watch(tls.LIBSSL)
        watcher.run([*PYTHON, "aiohttp", "1", *(model.url + PATH for model in models for _ in range(10))])
    finally:
        for model in models:
            model.close()
    assert len(watcher.calls) == 200
    assert all(call.peer in (None, Peer(address="127.0.0.1", port=asked(call))) for call in watcher.calls)
    share = sum(call.peer is not None for call in watcher.calls) / 200
    print(f"{share:.0%} of 200 told")
    assert share > 0.9


def test_where_packets_can_not_be_seen(load: Callable[[KernelSettings], Kernel], models: list[PlainServer]) -> None:
    """Nothing is told, and the figure says why."""
    kernel = load(KernelSettings(ring_bytes=1 << 20, packets=False))
    link = kernel.attach(tls.LIBSSL, tls.sites(tls.LIBSSL).sites)
    try:
        watcher = Watcher(kernel, lambda call: call.reading.requested_model.startswith("port-"))
        watcher.run([*PYTHON, "aiohttp", "1", *(model.url + PATH for model in models)])
        watcher.take()
    finally:
        link.close()
    assert [call.peer for call in watcher.calls] == [None] * len(models)
    assert kernel.peers.fates[Fate.NO_PACKETS] >= len(models)


def test_a_child_knows_no_better(watch: Callable[[str], tuple[Kernel, Watcher]], models: list[PlainServer]) -> None:
    """It speaks on what its parent opened: what was told of the parent's descriptor is not told of the child's."""
    _, watcher = watch(tls.LIBSSL)
    watcher.run([*PYTHON, "fork", "2", *(model.url + PATH for model in models)])
    assert len(watcher.calls) == 2 * len(models)
    assert all(call.peer is None or right(call, models) for call in watcher.calls)
