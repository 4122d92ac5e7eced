"""Finding TLS libraries among what processes map."""

from __future__ import annotations

import ssl
from pathlib import Path

from agent.doctor.libraries import libraries, mapped
from agent.doctor.selftests import own_library

MAPS = """\
55d0-55d1 r-xp 00001000 fe:00 11 /usr/bin/node
7f00-7f01 r--p 00000000 fe:00 12 /usr/lib/x86_64-linux-gnu/libssl.so.3
7f01-7f02 r-xp 00001000 fe:00 12 /usr/lib/x86_64-linux-gnu/libssl.so.3
7f02-7f03 r-xp 00001000 fe:00 13 /app/psycopg.libs/libssl-81ffa89e.so.3 (deleted)
7f03-7f04 r-xp 00001000 fe:00 14 /usr/lib/x86_64-linux-gnu/libc.so.6
7f04-7f05 r-xp 00001000 fe:00 15 /opt/my app/libssl.so.1.1
7f05-7f06 r-xp 00000000 00:00 0 [vdso]
7f06-7f07 r-xp 00000000 00:00 0
7f07-7f08 r-xp 00001000 fe:00 16 /usr/lib/libsslcommon.so.1
"""


def test_only_executable_mappings_of_tls_libraries_count() -> None:
    """Wheels' hashed names, deleted files and spaces too; not libc, not a library that only sounds alike."""
    assert list(mapped(MAPS.splitlines(keepends=True))) == [
        ("fe:00 11", "/usr/bin/node"),
        ("fe:00 12", "/usr/lib/x86_64-linux-gnu/libssl.so.3"),
        ("fe:00 13", "/app/psycopg.libs/libssl-81ffa89e.so.3"),
        ("fe:00 15", "/opt/my app/libssl.so.1.1"),
    ]


def test_our_own_library_is_found_with_its_sites() -> None:
    """This process maps a libssl; its functions have sites, and it is one entry however often it is mapped."""
    assert ssl.OPENSSL_VERSION
    own = own_library()
    assert Path(own).exists()
    (found,) = [library for library in libraries(uretprobe_safe=False) if library.path == own]
    assert found.processes >= 1
    assert found.sites >= 4
    assert found.missing == ()
