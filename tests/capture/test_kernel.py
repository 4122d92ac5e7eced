"""The facade's own decisions: which links, which settings, what is swept.  What probes see is in tests/kernel/."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from agent.capture import kernel as module
from agent.capture import ring, source
from agent.capture.elf import ElfFile
from agent.capture.kernel import CaptureError, Kernel, KernelSettings, harmless_function
from agent.capture.links import AttachError
from agent.capture.plan import Count, Probe, Role, Site
from agent.capture.records import Conn, ConnKey, VerdictValue
from agent.model import Closed, ConnId

SMALL = KernelSettings(ring_bytes=64 * 1024, max_connections=64, max_threads=64, max_cgroups=64, max_links=2)


@pytest.fixture
def load() -> Iterator[Callable[[KernelSettings], Kernel]]:
    if os.geteuid():
        pytest.skip("needs root: real probes")
    made: list[Kernel] = []

    def make(settings: KernelSettings) -> Kernel:
        made.append(Kernel(settings))
        return made[-1]

    yield make
    for kernel in made:
        kernel.close()


def test_the_harmless_function_is_one() -> None:
    """A probe there is in our own C library, at the function's first byte."""
    path, offset = harmless_function()
    with open(path, "rb") as file:
        assert ElfFile(file).functions(["labs"])["labs"].file_offset == offset


@pytest.mark.kernel
def test_uprobe_multi_that_does_not_work(
    load: Callable[[KernelSettings], Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chosen by trying, not by version alone: the old links take over, and the reason is kept."""

    def refuse(*_arguments: object, **_named: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(module, "attach_multi", refuse)
    kernel = load(SMALL)
    assert kernel.link_kind == "perf_event"
    assert "does not know this kind of link" in kernel.link_problem
    path, offset = harmless_function()
    kernel.attach_selftest(path, offset, pid=os.getpid(), returning=False).close()


@pytest.mark.kernel
def test_what_was_asked_for_is_not_replaced(
    load: Callable[[KernelSettings], Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for uprobe_multi gets it, or a sentence."""
    monkeypatch.setattr(module, "attach_multi", lambda *_, **__: (_ for _ in ()).throw(OSError(1, "")))
    with pytest.raises(CaptureError, match="refused"):
        load(KernelSettings(ring_bytes=64 * 1024, links="uprobe_multi"))


@pytest.mark.kernel
def test_settings_that_the_kernel_refuses(load: Callable[[KernelSettings], Kernel]) -> None:
    """A ring that is no power of two: a sentence, not a traceback of BCC's."""
    with pytest.raises(CaptureError, match="can't be compiled or their maps made"):
        load(KernelSettings(ring_bytes=5 * 4096))


@pytest.mark.kernel
def test_links_are_bounded(load: Callable[[KernelSettings], Kernel]) -> None:
    """One more than max_links is a sentence; a closed one makes room; nothing is left in the map."""
    kernel = load(SMALL)
    path, offset = harmless_function()
    site = Site(
        function="labs", role=Role.CLOSE, probe=Probe.UPROBE, file_offset=offset, emulated=False, count=Count.RESULT
    )
    links = [kernel.attach(path, [site], pid=os.getpid()) for _ in range(2)]
    with pytest.raises(AttachError, match="more than 2"):
        kernel.attach(path, [site], pid=os.getpid())
    links.pop().close()
    links.append(kernel.attach(path, [site], pid=os.getpid()))
    for link in links:
        link.close()
    assert kernel.map_sizes()["links"] == 0


@pytest.mark.kernel
def test_an_attach_that_fails_leaves_nothing(load: Callable[[KernelSettings], Kernel]) -> None:
    """A file that is gone: one sentence, no descriptor, no link in the map."""
    kernel = load(SMALL)
    before = len(os.listdir("/proc/self/fd"))
    site = Site(function="f", role=Role.CLOSE, probe=Probe.UPROBE, file_offset=64, emulated=False)
    with pytest.raises(AttachError, match="gone"):
        kernel.attach("/no/such/libssl.so", [site])
    assert kernel.map_sizes()["links"] == 0
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.kernel
def test_sweep(load: Callable[[KernelSettings], Kernel]) -> None:
    """What a dead process left, and answers to connections that ended, go; the living stay."""
    kernel = load(SMALL)
    dead, alive = ConnKey(ssl=1, tgid=2**22 + 1), ConnKey(ssl=2, tgid=os.getpid())
    for key in (dead, alive):
        kernel._maps.update("connections", key, Conn(born_ns=1))
    kernel._maps.update("verdicts", alive, VerdictValue(born_ns=1, judgement=1))
    kernel._maps.update("verdicts", ConnKey(ssl=3, tgid=os.getpid()), VerdictValue(born_ns=1, judgement=1))
    assert kernel.sweep() == 2
    assert (kernel.map_sizes()["connections"], kernel.map_sizes()["verdicts"]) == (1, 1)


@pytest.mark.kernel
def test_sweep_of_a_link_that_is_gone(load: Callable[[KernelSettings], Kernel]) -> None:
    """Nobody sees its connections any more: they go, once no link on the same code is left; plaintext's, which have none, stay."""
    kernel = load(SMALL)
    path, offset = harmless_function()
    site = Site(function="labs", role=Role.CLOSE, probe=Probe.UPROBE, file_offset=offset, emulated=False)
    links = [kernel.attach(path, [site], pid=os.getpid()) for _ in range(2)]
    for number, link in enumerate((*(one.id for one in links), 0)):
        kernel._maps.update("connections", ConnKey(ssl=number, tgid=os.getpid()), Conn(born_ns=1, link=link))
    links[0].close()
    assert kernel.sweep() == 0
    links[1].close()
    assert kernel.sweep() == 2
    assert [key.ssl for key in kernel._maps.keys("connections")] == [2]


@pytest.mark.kernel
def test_an_end_that_was_not_seen(load: Callable[[KernelSettings], Kernel]) -> None:
    """The ring was full when the connection was freed: the second sweep that misses it says its end."""
    kernel = load(SMALL)
    conn = ConnId(pid=os.getpid(), pointer=9, born_ns=1)
    run = ring._Run(conn)
    kernel.ring._runs[conn.pid, conn.pointer, conn.born_ns] = run
    kernel.ring._by_pid[conn.pid] = {conn}

    def ends() -> list[ConnId]:
        return [event.conn for event in kernel.poll() if isinstance(event, Closed)]

    assert (kernel.sweep(), ends()) == (0, [])
    assert (kernel.sweep(), ends()) == (1, [conn])
    assert (kernel.sweep(), ends()) == (0, [])
    assert kernel.ring.connections == 0


@pytest.mark.kernel
def test_nothing_of_the_node_is_needed(
    load: Callable[[KernelSettings], Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler's only kernel tree is ours, whatever the environment says."""
    monkeypatch.setenv("BCC_KERNEL_SOURCE", "/no/such/tree")
    load(SMALL)
    assert os.environ["BCC_KERNEL_SOURCE"] == str(source.folder() / "headers")
