"""Verdicts on real files: each gets one; the hostile ones cost their own process, and nothing else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.capture import targets as module
from agent.capture.elf import ElfFile
from agent.capture.judge import Budget, Judge, Judged
from agent.capture.plan import Plan, Unreadable
from agent.capture.processes import Code, FileId, Mapped
from agent.capture.selection import Choice
from agent.capture.targets import Targets
from agent.model import CoverageReason
from tests.capture.machine import Machine


def _real(path: Path, *, named: bool = False) -> Mapped:
    number = path.stat().st_ino
    file = FileId(device="0:1", inode=number)
    return Mapped(file=file, path=str(path), open_paths=(str(path),), is_program=False, named=named)


def _judging(
    monkeypatch: pytest.MonkeyPatch, *mapped: Mapped, planner: Callable[[ElfFile], Plan] = lambda elf: Plan(sites=())
) -> Targets:
    machine = Machine(files={1: []})
    monkeypatch.setattr(module, "read_process", machine._read)
    monkeypatch.setattr(module, "mapped_code", lambda pid: Code(files=mapped, left_out=3))
    targets = Targets(machine.kernel, planner=planner, choose=lambda _: Choice.SELECTED, learn=lambda _: None)
    targets.started(1, 0)
    return targets


def test_every_file_gets_a_verdict_and_only_damage_is_held_against_a_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Data and other formats are nobody's business; an ELF file that lies may hide TLS, and so may a library that can't be opened."""
    script, damaged, fifo, whole = (tmp_path / name for name in ("script", "damaged", "libssl.so.9", "whole"))
    script.write_text("#!/bin/sh\n")
    header = bytearray(Path(sys.executable).resolve().read_bytes()[:64])
    header[60:62] = b"\xff\xff"  # sections without end
    damaged.write_bytes(header)
    os.mkfifo(fifo)  # opening it to read would wait for ever
    whole.write_bytes(Path(sys.executable).resolve().read_bytes())
    targets = _judging(monkeypatch, _real(script), _real(damaged), _real(fifo, named=True), _real(whole))
    assert targets.judged == {
        Judged.LEFT_OUT: 3,
        Judged.OTHER_FORMAT: 1,
        Judged.DAMAGED: 1,
        Judged.NOT_OPENED: 1,
        Judged.WITHOUT_TLS: 1,
    }
    assert {library.path for library in targets.status()} == {str(damaged), str(fifo)}
    (one,) = targets.coverage()
    assert one.reason is CoverageReason.CANNOT_DECRYPT


def test_a_tls_library_of_another_format_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A 32-bit program's, say: its name says what it is, so its process is not passed over."""
    narrow = tmp_path / "libssl.so.3"
    header = bytearray(Path(sys.executable).resolve().read_bytes()[:64])
    header[4] = 1  # ELFCLASS32
    narrow.write_bytes(header)
    targets = _judging(monkeypatch, _real(narrow, named=True))
    assert targets.judged == {Judged.LEFT_OUT: 3, Judged.OTHER_FORMAT: 1}
    (one,) = targets.coverage()
    assert one.reason is CoverageReason.CANNOT_DECRYPT
    assert "64-bit" in one.detail
    assert one.remedy


def test_another_file_at_the_path_is_not_taken_for_the_one_that_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A link to a file of ours, put there since: it is neither read nor probed."""
    there, other = tmp_path / "libssl.so.3", tmp_path / "other"
    there.write_bytes(b"x")
    mapped = _real(there, named=True)
    other.write_bytes(Path(sys.executable).resolve().read_bytes())
    there.unlink()
    there.symlink_to(other)
    targets = _judging(monkeypatch, mapped)
    assert targets.judged[Judged.NOT_OPENED] == 1
    (library,) = targets.status()
    assert "can't be opened" in library.error


def test_a_sparse_file_of_a_hundred_gigabytes_costs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its tables are said to fill it; what is read is bounded."""
    sparse = tmp_path / "sparse"
    header = bytearray(Path(sys.executable).resolve().read_bytes()[:64])
    header[32:40] = (0).to_bytes(8, "little")
    header[40:48] = (50 * 1024**3).to_bytes(8, "little")
    header[58:62] = (64).to_bytes(2, "little") + (3).to_bytes(2, "little")
    sparse.write_bytes(header)
    os.truncate(sparse, 100 * 1024**3)
    before = time.process_time()
    targets = _judging(monkeypatch, _real(sparse))
    assert time.process_time() - before < 5
    assert targets.judged[Judged.WITHOUT_TLS] == 1


def test_a_process_whose_files_cost_too_much_gets_no_further(tmp_path: Path) -> None:
    """What is left of its files is counted; the same file of another process is read."""
    paths = [tmp_path / str(number) for number in range(4)]
    for path in paths:
        path.write_bytes(Path(sys.executable).resolve().read_bytes())

    def slow(elf: object) -> Plan:
        until = time.thread_time() + 0.15
        while time.thread_time() < until:
            pass
        return Plan(sites=())

    looking = Judge(slow)
    first, second = Budget(left_seconds=0.2), Budget(left_seconds=0.2)
    for path in paths:
        assert looking.look(_real(path), first) is None
    assert looking.counts == {Judged.WITHOUT_TLS: 2, Judged.LEFT_OUT: 2}
    looking.look(_real(paths[3]), second)
    assert looking.counts[Judged.WITHOUT_TLS] == 3


def test_a_file_that_takes_longer_than_any_is_given_up_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a verdict of its own, and as a reason of its process."""
    path = tmp_path / "dear"
    path.write_bytes(Path(sys.executable).resolve().read_bytes())

    def endless(elf: ElfFile) -> Plan:
        elf._seconds = 0.01
        elf.begin()
        while True:
            elf.read(0, 64)

    targets = _judging(monkeypatch, _real(path), planner=endless)
    assert targets.judged == {Judged.LEFT_OUT: 3, Judged.TOO_DEAR: 1}
    (one,) = targets.coverage()
    assert one.reason is CoverageReason.CANNOT_DECRYPT
    assert "cost time" in one.detail
    assert one.remedy


def test_a_file_that_could_not_be_opened_is_tried_again(tmp_path: Path) -> None:
    """By way of another process, which may have one."""
    path = tmp_path / "module.so"
    path.write_bytes(Path(sys.executable).resolve().read_bytes())
    here = _real(path)
    gone = Mapped(file=here.file, path=here.path, open_paths=("/nowhere",), is_program=False, named=False)
    looking = Judge(lambda elf: Plan(sites=(), unsearched=True))
    assert looking.look(gone, Budget()) is None
    assert looking.look(here, Budget()) is None
    assert looking.look(here, Budget()) is None
    assert looking.counts == {Judged.NOT_OPENED: 1, Judged.NOT_SEARCHED: 1}


def test_a_program_with_a_stack_that_nobody_can_read_is_one_with_tls(tmp_path: Path) -> None:
    """It has neither sites nor functions that miss one, and is told all the same."""
    path = tmp_path / "program"
    path.write_bytes(Path(sys.executable).resolve().read_bytes())
    stack = Unreadable(stack="some", detail="no way in", remedy="another")
    judge = Judge(lambda elf: Plan(sites=(), unreadable=(stack,)))
    library = judge.look(_real(path), Budget())
    assert library is not None
    assert library.plan.unreadable == (stack,)
    assert judge.counts == {Judged.TLS: 1}


def test_files_without_tls_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each is read once; who makes new ones for ever costs time, not memory."""
    monkeypatch.setattr("agent.capture.judge._MAX_REMEMBERED_FILES", 3)
    judge = Judge(lambda elf: Plan(sites=()))
    paths = [tmp_path / str(number) for number in range(10)]
    for path in paths:
        path.write_bytes(b"no ELF file")
        for _ in range(2):
            assert judge.look(_real(path), Budget()) is None
        assert len(judge._without_tls) <= 3
    assert judge.counts == {Judged.OTHER_FORMAT: 10}
