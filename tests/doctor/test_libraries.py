"""The libraries that doctor lists."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

from agent.capture.targets import LibraryStatus
from agent.doctor.libraries import libraries
from agent.doctor.selftests import own_library


def one_of(found: tuple[LibraryStatus, ...], path: str) -> LibraryStatus:
    """Other tests may have loaded others."""
    return next(library for library in found if library.path == path)


def test_our_own_library_is_found_with_its_sites() -> None:
    """This process maps a libssl: one entry with sites, and no link is made for it."""
    assert ssl.OPENSSL_VERSION
    own = own_library()
    assert Path(own).exists()
    found = one_of(libraries(uretprobe_safe=False, only=[os.getpid()]), own)
    assert (found.processes, found.error, found.missing) == (1, "", ())
    assert found.sites >= 4


def test_a_library_of_two_processes_is_one() -> None:
    """It counts its users."""
    child = subprocess.Popen(
        [sys.executable, "-c", "import ssl, sys; print('ready', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout
        child.stdout.readline()
        found = one_of(libraries(uretprobe_safe=False, only=[os.getpid(), child.pid]), own_library())
    assert found.processes == 2


def test_nobody_has_no_libraries() -> None:
    """A process that is gone is no error."""
    assert libraries(uretprobe_safe=False, only=[2**22 - 1]) == ()
