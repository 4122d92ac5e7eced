"""Processes from /proc: our own is one, and children of ours are others."""

from __future__ import annotations

import _ctypes
import os
import ssl
import subprocess
import sys

import pytest

from agent.capture import processes
from agent.capture.processes import mapped_code, opened, pids, read_process


def test_this_process_is_read() -> None:
    """Its name, its start, its group."""
    process = read_process(os.getpid())
    assert process is not None
    with open("/proc/self/comm", encoding="utf-8") as comm:
        assert process.name == comm.read().rstrip("\n")
    assert process.start_ticks > 0
    assert os.getpid() in set(pids())


def test_a_process_that_is_gone_is_none() -> None:
    """Not an error: processes end while we look."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert read_process(child.pid) is None
    assert mapped_code(child.pid).files == ()


def test_a_name_with_parentheses_and_spaces_is_read() -> None:
    """/proc/PID/stat holds it in between."""
    code = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'a) b (c'); print('x', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdin
        child.stdout.readline()
        process = read_process(child.pid)
        child.stdin.close()
    assert process is not None
    assert process.name == "a) b (c"


def test_the_library_that_is_mapped_is_found_and_can_be_opened() -> None:
    """Python's own OpenSSL, through the process that maps it; also the program itself is a candidate."""
    assert ssl.OPENSSL_VERSION
    found = mapped_code(os.getpid()).files
    assert [one.is_program for one in found].count(True) == 1
    assert len({one.file for one in found}) == len(found)
    libraries = [one for one in found if one.named]
    if not libraries:
        return  # this Python has OpenSSL built in: then the program is the file, as checked above
    with opened(libraries[0]) as (file, path):
        assert file.read(4) == b"\x7fELF"
        assert os.stat(path).st_ino == libraries[0].file.inode


def test_a_file_whose_name_says_nothing_is_found_too() -> None:
    """An extension module of Python could have TLS built in."""
    assert _ctypes.__file__ in [one.path for one in mapped_code(os.getpid()).files]


def test_more_files_than_any_program_has_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not looked at is not absent."""
    everything = mapped_code(os.getpid())
    monkeypatch.setattr(processes, "MAX_FILES", 2)
    some = mapped_code(os.getpid())
    assert len(some.files) == 2
    assert some.left_out == len(everything.files) - 2
