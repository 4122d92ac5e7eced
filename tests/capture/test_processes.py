"""Processes from /proc: our own is one, and children of ours are others."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys

from agent.capture.processes import mapped_tls_files, pids, read_process


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
    assert mapped_tls_files(child.pid) == []


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
    found = mapped_tls_files(os.getpid())
    assert any(one.is_program for one in found)
    libraries = [one for one in found if not one.is_program]
    if not libraries:
        return  # this Python has OpenSSL built in: then the program is the file, as checked above
    with open(libraries[0].open_paths[1], "rb") as file:
        assert file.read(4) == b"\x7fELF"
        assert os.fstat(file.fileno()).st_ino == libraries[0].file.inode
