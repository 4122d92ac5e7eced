"""Processes from /proc: our own is one, and children of ours are others."""

from __future__ import annotations

import _ctypes
import mmap
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from agent.capture import processes
from agent.capture.processes import FileId, Mapped, mapped_code, opened, pids, read_process


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


def test_only_what_can_be_executed_is_code(tmp_path: Path) -> None:
    """Data, fonts and locales are mapped too, by the hundred."""
    data, code = tmp_path / "data", tmp_path / "code"
    ways = ((data, mmap.PROT_READ), (code, mmap.PROT_READ | mmap.PROT_EXEC))
    held = []
    for path, protection in ways:
        path.write_bytes(b"x" * 4096)
        with path.open("rb") as file:
            held.append(mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, protection))
    paths = {one.path for one in mapped_code(os.getpid()).files}
    assert (str(data) in paths, str(code) in paths) == (False, True)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    """A pipe would be waited for, a folder has no bytes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(OSError, match=r"not a regular file|Is a directory"):
            processes.regular(str(path))


def test_the_next_way_is_taken_where_one_is_closed(tmp_path: Path) -> None:
    """Not every kernel lets us go through map_files."""
    path = tmp_path / "library"
    path.write_bytes(b"x")
    file = FileId(device="0:1", inode=path.stat().st_ino)
    ways = (str(tmp_path / "closed"), str(path))
    with opened(Mapped(file=file, path=str(path), open_paths=ways, is_program=False, named=False)) as (found, _):
        assert found.read() == b"x"
