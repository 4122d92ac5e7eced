"""A pod whose files are made to cost time: what it makes of its own coverage is its business, and another pod's probes wait for one of its files."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.capture.judge import Judged
from agent.capture.kernel import Kernel
from agent.capture.mappings import Mappings
from agent.demo.sandbox import cgroup_root
from tests.capture import dear
from tests.kernel import tls
from tests.kernel.client import PATTERN
from tests.kernel.following import following
from tests.kernel.tls import Client

pytestmark = pytest.mark.kernel

PROCESSES, FILES_EACH = 4, 6
EXPECTED = sorted([tls.request(300, 400), PATTERN[:400]], key=len)
MAPS = """
import mmap, sys
kept = []
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        kept.append(mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC))
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def groups() -> Iterator[Callable[[str], Path]]:
    """Of pods, by a letter."""
    made: list[Path] = []

    def make(letter: str) -> Path:
        uid = f"{os.getpid():08d}_0000_4000_8000_{letter * 12}"
        made.append(cgroup_root() / f"kubepods-besteffort-pod{uid}.slice" / f"cri-containerd-{letter * 64}.scope")
        made[-1].mkdir(parents=True)
        return made[-1]

    yield make
    end = time.monotonic() + 10
    for folder in made:
        while (folder / "cgroup.procs").read_text() and time.monotonic() < end:
            time.sleep(0.05)
        folder.rmdir()
        folder.parent.rmdir()


def inside(folder: Path, *command: object) -> list[str]:
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(folder), *map(str, command)]


def test_dear_files_of_one_pod_keep_no_other_waiting(
    kernel: Kernel, server: tls.Server, c_client: list[str], groups: Callable[[str], Path], tmp_path: Path
) -> None:
    """Many were mapped before the other's library, which nobody has met; it is read next, and its calls are seen."""
    files = [dear.addresses(tmp_path / str(number)) for number in range(PROCESSES * FILES_EACH)]
    library = tmp_path / "libssl.so.3"
    shutil.copy(tls.LIBSSL, library)
    hostile, ordinary = groups("a"), groups("b")
    with ExitStack() as stack:
        watch = stack.enter_context(following(kernel, Mappings()))

        def read() -> int:
            """Of the dear files: OpenSSL without symbols as far as anybody can tell, or given up."""
            return sum(str(tmp_path) in one.path and one.path != str(library) for one in watch.targets.status())

        while not watch.follower.scanned:
            time.sleep(0.05)
        for number in range(PROCESSES):
            mapper = subprocess.Popen(
                inside(hostile, tls.PYTHON[0], "-I", "-S", "-c", MAPS, *files[number::PROCESSES]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            stack.callback(mapper.communicate)
            assert mapper.stdout
            assert mapper.stdout.readline()
        while not read():
            time.sleep(0.01)
        before, began = read(), time.monotonic()
        client = Client(inside(ordinary, "env", f"LD_LIBRARY_PATH={tmp_path}", *c_client), server.port)
        stack.callback(client.kill)
        while not any(one.path == str(library) and one.sites for one in watch.targets.status()):
            watch.drain()
            time.sleep(0.01)
        meanwhile = read() - before
        print(f"hostile: {meanwhile} of {len(files) - before} dear files first, {time.monotonic() - began:.2f} s")
        assert meanwhile <= 2
        client.say("open", "call 300 400")
        happened = tls.until(kernel, lambda all_: len(tls.streams(all_, client.pid)) == 2)
        assert sorted(tls.streams(happened, client.pid).values(), key=len) == EXPECTED
        assert watch.targets.judged[Judged.LEFT_OUT] == 0
