"""Real probes need root and BPF: without them these tests skip, visibly; in CI that is a failure (tests/conftest.py)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.capture.elf import ElfFile
from agent.capture.kernel import Kernel, KernelSettings
from agent.capture.peers import Fate
from agent.capture.plan import Plan
from agent.capture.selection import Choice
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.capture.targets import Targets
from agent.demo.certificates import make
from agent.model import Process
from tests.bench.native_tools import certificate
from tests.kernel.plain_server import ANSWERS_AFTER, HOSTS, PlainServer
from tests.kernel.tls import PYTHON, Client, Provider, Server, build_client, pretend_kernel, sites
from tests.kernel.watcher import Watcher


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def c_client(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return build_client(tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="session")
def shared_kernel() -> Iterator[Kernel]:
    if os.geteuid():
        pytest.skip("needs root: real probes")
    kernel = Kernel(KernelSettings())
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(shared_kernel: Kernel) -> Iterator[Kernel]:
    """Loaded once for all, nothing attached, nothing waiting."""
    shared_kernel.poll()
    yield shared_kernel
    forgets_who_ended(shared_kernel)


def forgets_who_ended(kernel: Kernel) -> None:
    """Of processes and threads that ended no map keeps anything: by the news of their ends, without the sweep."""
    end = time.monotonic() + 10
    while left := [one for one in remembered(kernel) if not os.path.exists(one)]:
        assert time.monotonic() < end, f"left behind: {left}"
        kernel.poll()
        time.sleep(0.01)


def remembered(kernel: Kernel) -> list[str]:
    """Whom the maps with live state have entries of, as folders in /proc."""
    threads = [f"/proc/{key.ssl >> 32}/task/{key.ssl & 0xFFFFFFFF}" for key in kernel._maps.keys("threads")]
    return threads + [f"/proc/{key.tgid}" for table in ("connections", "verdicts") for key in kernel._maps.keys(table)]


@pytest.fixture(scope="session")
def shared_old_kernel() -> Iterator[Kernel]:
    if os.geteuid():
        pytest.skip("needs root: real probes")
    with pytest.MonkeyPatch.context() as patch:
        pretend_kernel(patch, "5.10.0-28-amd64")
        kernel = Kernel(KernelSettings(ring_bytes=1 << 20))
    yield kernel
    kernel.close()


@pytest.fixture
def old_kernel(shared_old_kernel: Kernel) -> Kernel:
    """The way of kernels before 5.15: programs without the helper, perf_event uprobes tied by ioctl."""
    assert (shared_old_kernel.link_kind, shared_old_kernel.cookies) == ("perf_event", False)
    shared_old_kernel.poll()
    return shared_old_kernel


@pytest.fixture(scope="session")
def shared_perf_event_kernel() -> Iterator[Kernel]:
    if os.geteuid():
        pytest.skip("needs root: real probes")
    kernel = Kernel(KernelSettings(links="perf_event", ring_bytes=1 << 20))
    yield kernel
    kernel.close()


@pytest.fixture
def perf_event_kernel(shared_perf_event_kernel: Kernel) -> Kernel:
    """The way of kernels before 6.6."""
    assert shared_perf_event_kernel.link_kind == "perf_event"
    shared_perf_event_kernel.poll()
    return shared_perf_event_kernel


@pytest.fixture
def load() -> Iterator[Callable[[KernelSettings], Kernel]]:
    """Kernels of the test's own."""
    if os.geteuid():
        pytest.skip("needs root: real probes")
    made: list[Kernel] = []

    def make(settings: KernelSettings) -> Kernel:
        made.append(Kernel(settings))
        return made[-1]

    yield make
    for kernel in made:
        if not kernel.counters()["records_dropped"]:  # else the sweep does it, later
            forgets_who_ended(kernel)
        kernel.close()


@pytest.fixture
def server(certificates: tuple[Path, Path]) -> Iterator[Server]:
    server = Server(certificates)
    yield server
    server.close()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder = tmp_path_factory.mktemp("provider")
    command = [sys.executable, "-m", "agent.demo.provider", "--port", "0", "--books", str(folder / "books.jsonl")]
    command += ["--certificate", str(make(folder, hosts=["localhost"]).server)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Provider(int(process.stdout.readline().removeprefix("ready ")), folder / "books.jsonl", process.pid)
        process.terminate()


@pytest.fixture
def start(server: Server, c_client: list[str]) -> Iterator[Callable[[str], Client]]:
    """Starts clients: ``python`` (SSL_read_ex, SSL_write_ex) or ``c`` (SSL_read, SSL_write)."""
    started: list[Client] = []

    def make(kind: str) -> Client:
        started.append(Client(PYTHON if kind == "python" else c_client, server.port))
        return started[-1]

    yield make
    for client in started:
        client.kill()


@pytest.fixture
def begin(server: Server) -> Iterator[Callable[..., Client]]:
    """Starts clients that a test built: the program, and words for it."""
    started: list[Client] = []

    def make(*command: Path | str) -> Client:
        started.append(Client([str(word) for word in command], server.port))
        return started[-1]

    yield make
    for client in started:
        client.kill()


@pytest.fixture
def models(certificates: tuple[Path, Path]) -> Iterator[list[PlainServer]]:
    made = [PlainServer(host, certificate=certificates, answers_after=ANSWERS_AFTER) for host in HOSTS]
    yield made
    for server in made:
        server.close()


@pytest.fixture
def watch(kernel: Kernel) -> Iterator[Callable[[str], tuple[Kernel, Watcher]]]:
    """Watches who calls a model of the test (its name is the port that was asked), in processes that have loaded a library, from their beginning."""
    with ExitStack() as links:

        def make(library: str) -> tuple[Kernel, Watcher]:
            kernel.peers.fates = dict.fromkeys(Fate, 0)
            links.callback(kernel.attach(library, sites(library).sites).close)
            return kernel, Watcher(kernel, lambda call: call.reading.requested_model.startswith("port-"))

        yield make


@pytest.fixture
def follow(kernel: Kernel) -> Iterator[Callable[[set[int]], Targets]]:
    """Targets that select the given processes, and nobody else on this machine."""
    made: list[Targets] = []

    def planner(elf: ElfFile) -> Plan:
        return plan(elf, Abilities(uretprobe_safe=True))

    def make(selected: set[int]) -> Targets:
        def choose(process: Process) -> Choice:
            return Choice.SELECTED if process.pid in selected else Choice.UNSELECTED

        made.append(Targets(kernel, planner=planner, choose=choose, learn=lambda _: None))
        return made[-1]

    yield make
    for targets in made:
        targets.close()
