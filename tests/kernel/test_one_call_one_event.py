"""Two containers of one image have two mounts of one library: each probe fires for both, and one call stays one event."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.model import Direction
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[list[Path]]:
    """One libssl under two overlay mounts, as runtimes mount an image for two containers."""
    lower, empty = tmp_path / "lower", tmp_path / "empty"
    lower.mkdir()
    empty.mkdir()
    shutil.copy(tls.LIBSSL, lower / "libssl.so.3")
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        options = f"lowerdir={lower}:{empty}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, tmp_path / name], check=True)
        made.append(tmp_path / name)
    yield made
    for path in made:
        subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture
def clients(mounts: list[Path], server: tls.Server, c_client: list[str]) -> Iterator[list[Client]]:
    """One client per mount."""
    started = [Client(["env", f"LD_LIBRARY_PATH={path}", *c_client], server.port) for path in mounts]
    yield started
    for client in started:
        client.kill()


def attach(kernel: Kernel, mount: Path) -> tls.Link:
    return kernel.attach(str(mount / "libssl.so.3"), tls.best_plan().sites)


def test_each_call_once(kernel: Kernel, mounts: list[Path], clients: list[Client]) -> None:
    """Both links fire on both clients' calls, and every byte comes once."""
    before = kernel.counters()["duplicate_hits"]
    links = [attach(kernel, mounts[0])]
    try:
        clients[1].say("open", "call 300 400", "close")
        alone = tls.until(kernel, lambda happened: bool(tls.closed(happened, clients[1].pid)))
        assert tls.closed(alone, clients[1].pid), "the mounts do not share the file, so this run proves nothing"
        links.append(attach(kernel, mounts[1]))
        for client in clients:
            client.say("open", *["call 300 400"] * 5, "close")
        happened = tls.until(kernel, lambda all_: all(tls.closed(all_, client.pid) for client in clients))
    finally:
        for link in links:
            link.close()
    # Without cookies a program can't tell two links apart: the second hit writes the same call again, and its return finds it ended.
    assert kernel.counters()["duplicate_hits"] > before or not kernel.cookies
    for client in clients:
        assert list(tls.streams(happened, client.pid).values()) == [tls.request(300, 400) * 5, PATTERN[:400] * 5]


@pytest.mark.parametrize("spare", [0, 1])
def test_the_other_link_goes(
    kernel: Kernel, mounts: list[Path], clients: list[Client], server: tls.Server, spare: int
) -> None:
    """Whichever link is closed, while a read waits: from the next call on everything is there, once."""
    links = [attach(kernel, mount) for mount in mounts]
    client = clients[0]
    try:
        client.say("open", "call 10 10")
        server.hold.clear()
        client.begin("call 20 2000")
        tls.until(kernel, lambda happened: len(tls.chunks(happened, client.pid)) >= 5)
        links.pop(spare).close()
        server.hold.set()
        client.wait()
        tls.until(kernel, lambda _: False, seconds=0.1)
        client.say(*["call 30 40"] * 5, "close")
        happened = tls.until(kernel, lambda happened: bool(tls.closed(happened, client.pid)))
    finally:
        for link in links:
            link.close()
    data = dict.fromkeys(Direction, b"")
    for chunk in tls.chunks(happened, client.pid):
        data[chunk.direction] += chunk.data
    assert data == {Direction.SENT: tls.request(30, 40) * 5, Direction.RECEIVED: PATTERN[:40] * 5}
