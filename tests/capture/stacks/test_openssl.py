"""The functions of OpenSSL that are probed; how their sites are chosen is tested in tests/capture/test_sites.py."""

from __future__ import annotations

from agent.capture.plan import Plan
from agent.capture.sites import Abilities
from agent.capture.stacks.openssl import CALLS, OpenSsl
from tests.capture.builds import Build, load


def test_all_functions_that_move_plaintext_are_named() -> None:
    """CPython uses the _ex forms alone; without them its calls would be invisible."""
    assert {"SSL_read", "SSL_read_ex", "SSL_write", "SSL_write_ex", "SSL_write_ex2"} <= set(CALLS.names)


def test_a_file_without_them_has_no_sites() -> None:
    """And says nothing."""
    chosen = OpenSsl.plan(Build([]), Abilities(uretprobe_safe=True))  # type: ignore[arg-type]
    assert chosen == Plan(sites=())


def test_a_library_has_sites_for_reading_writing_and_closing() -> None:
    """All roles of a connection's life."""
    chosen = OpenSsl.plan(load("debian-12-libssl-3.0"), Abilities(uretprobe_safe=True))  # type: ignore[arg-type]
    assert {site.role.name for site in chosen.sites} == {
        "READ_ENTRY",
        "READ_RETURN",
        "WRITE_ENTRY",
        "WRITE_RETURN",
        "CLOSE",
    }
