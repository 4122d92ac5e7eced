"""What a file has beside the TLS library that is read, found in real files of real processes when their probes are in place."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.capture import further as module
from agent.capture.coverage import Library
from agent.capture.elf import ElfFile
from agent.capture.further import AFTER_NS, Further
from agent.capture.plan import Plan, Sign, Unreadable
from agent.capture.processes import Mapped, mapped_code
from agent.capture.selection import Choice
from agent.capture.sites import Abilities
from agent.capture.stacks import plan
from agent.capture.stacks.noticed import search
from agent.capture.targets import Targets
from agent.model import CoverageReason
from tests.capture.machine import FakeKernel, rescan

QUIC = "external/com_github_google_quiche/quiche/quic/core/quic_session.cc"


ABILITIES = Abilities(uretprobe_safe=True)


def searched(elf: ElfFile) -> Iterator[Unreadable | None]:
    return search(elf, ABILITIES)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """OpenSSL's functions by their names, and Google's QUIC by its sources."""
    source, path = tmp_path / "a.c", tmp_path / "libproxy.so"
    source.write_text(
        '__asm__(".text\\n.skip 600000, 0x90\\n");\n'
        f'const char text[] = "{QUIC}";\n'
        'int inner(void *a, void *b, int c) { __asm__ volatile(""); return c; }\n'
        "int SSL_read(void *a, void *b, int c) { return inner(a, b, c) + 1; }\n"
        "int SSL_write(void *a, void *b, int c) { return inner(a, b, c) + 1; }\n"
    )
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", path, source], check=True)
    return path


@pytest.fixture
def run() -> Iterator[Callable[[Path], int]]:
    """Processes that map a library and wait."""
    started: list[subprocess.Popen[bytes]] = []

    def make(path: Path) -> int:
        code = "import ctypes, sys; ctypes.CDLL(sys.argv[1]); print(flush=True); input()"
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline()
        return process.pid

    yield make
    for process in started:
        process.communicate(b"\n")


def mapped(pid: int, path: Path) -> Mapped:
    return next(one for one in mapped_code(pid).files if one.path == str(path))


def steps(further: Further, at_ns: int) -> tuple[int, Library | None]:
    """How many it took, and of what more is known."""
    for number in range(1, 1000):
        if (found := further.step(at_ns)) is not None or not further._wishes:
            return number, found
    raise AssertionError("it never ends")


def test_a_file_that_is_read_is_searched_afterwards(library: Path, run: Callable[[Path], int]) -> None:
    """Its probes come first; what was found is told of its processes."""
    kernel, pid = FakeKernel(), run(library)

    def planner(elf: ElfFile) -> Plan:
        return plan(elf, ABILITIES)

    targets = Targets(kernel, planner=planner, choose=lambda _: Choice.SELECTED, learn=lambda _: None, search=searched)
    targets.started(pid, 1)
    assert len(kernel.open_paths) >= 1
    rescan(targets, 2)
    rescan(targets, 1 + AFTER_NS)
    (before,) = [one for one in targets.coverage() if one.library == str(library)]
    assert before.detail == ""
    for _ in range(200):
        rescan(targets, 2 + AFTER_NS)
    (after,) = [one for one in targets.coverage() if one.library == str(library)]
    assert after.reason is CoverageReason.READABLE
    assert "also has Google's QUICHE" in after.detail
    assert targets._watched[pid].next_signs_ns > 0


def test_it_is_done_in_small_steps(library: Path, run: Callable[[Path], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the file: between two of them others are looked at."""
    monkeypatch.setattr(module, "_STEP_SECONDS", 0.0)
    further, found = Further(searched), Library(path=str(library), plan=Plan(sites=()))
    further.wish(found, mapped(run(library), library))
    assert further.step(1) is None
    number, known = steps(further, 1 + AFTER_NS)
    assert number > 1
    assert known is found
    assert [one.sign for one in found.plan.unreadable] == [Sign.UDP]
    assert found.searched


def test_what_can_not_be_opened_any_more_is_asked_of_the_next(library: Path, run: Callable[[Path], int]) -> None:
    """Its process has ended: another one opens it."""
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    further, found = Further(searched), Library(path=str(library), plan=Plan(sites=()))
    there = mapped(run(library), library)
    lost = Mapped(
        file=there.file,
        path=there.path,
        open_paths=(f"/proc/{gone.pid}/root/x",),
        is_program=False,
        named=False,
    )
    further.wish(found, lost)
    further.step(1)
    assert steps(further, 1 + AFTER_NS)[1] is None
    assert not found.searched
    further.wish(found, there)
    further.step(1)
    assert steps(further, 1 + AFTER_NS)[1] is found


def test_a_file_that_makes_no_sense_is_told(tmp_path: Path) -> None:
    """Once; and not searched again."""
    path = tmp_path / "a"
    path.write_bytes(b"\x7fELF\x02\x01" + b"\xff" * 200)
    further, found = Further(searched), Library(path=str(path), plan=Plan(sites=()))
    inode = path.stat().st_ino
    further.wish(
        found,
        Mapped(
            file=module.FileId(device="0:1", inode=inode),
            path=str(path),
            open_paths=(str(path),),
            is_program=False,
            named=False,
        ),
    )
    further.step(1)
    assert steps(further, 1 + AFTER_NS)[1] is None
    assert found.searched
    assert "could not be searched" in found.remark


def test_each_step_has_its_own_time(library: Path, run: Callable[[Path], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two of them the thread does other things, which are not held against the file."""
    monkeypatch.setattr(module, "_MAX_STEP_SECONDS", 0.1)

    def slow(elf: ElfFile) -> Iterator[Unreadable | None]:
        for _ in range(5):
            before = time.thread_time()
            while time.thread_time() < before + 0.04:
                elf.read(0, 64)
            yield None

    further, found = Further(slow), Library(path=str(library), plan=Plan(sites=()))
    further.wish(found, mapped(run(library), library))
    further.step(1)
    steps(further, 1 + AFTER_NS)
    assert found.searched
    assert found.remark == ""


def test_a_step_that_takes_longer_than_any_is_the_last_one(
    library: Path, run: Callable[[Path], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sooner than a file is given up that is read for its probes; it is told."""
    monkeypatch.setattr(module, "_MAX_STEP_SECONDS", 0.1)

    def endless(elf: ElfFile) -> Iterator[Unreadable | None]:
        while True:
            elf.read(0, 64)
        yield None

    further, found = Further(endless), Library(path=str(library), plan=Plan(sites=()))
    further.wish(found, mapped(run(library), library))
    further.step(1)
    before = time.thread_time()
    steps(further, 1 + AFTER_NS)
    assert time.thread_time() - before < 1
    assert "longer than any" in found.remark
