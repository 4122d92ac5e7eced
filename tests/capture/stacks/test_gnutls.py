"""GnuTLS's functions, and their sites in a real build."""

from __future__ import annotations

from agent.capture.plan import Plan
from agent.capture.sites import Abilities
from agent.capture.stacks.gnutls import GnuTls
from tests.capture.builds import Build, load

DEBIAN = "gnutls/debian-12-3.7.9"


def test_sites_of_a_real_build() -> None:
    """
    Read off the disassembly by hand: `sub; cmpb; mov; je` and `xor; xor; jmp` are entered at the jump and left at the jump into the inner function.

    The one slow site is a return that kernel TLS and errors take; gnutls_record_recv_seq has no cheap entry.
    """
    chosen = GnuTls.plan(load(DEBIAN), Abilities(uretprobe_safe=True))  # type: ignore[arg-type]
    assert [
        f"{site.function} {site.role.name} {site.probe} {site.file_offset:#x} {site.instruction.split()[0]}"
        for site in chosen.sites
    ] == [
        "gnutls_record_recv READ_ENTRY uprobe 0x3fa4e je",
        "gnutls_record_recv READ_RETURN uprobe 0x3fa6c ret",
        "gnutls_record_recv READ_RETURN uretprobe 0x3fa86 jmp",
        "gnutls_record_recv_seq READ_ENTRY uprobe 0x3fae0 first",
        "gnutls_record_recv_seq READ_RETURN uretprobe 0x3faf5 jmp",
        "gnutls_record_send WRITE_ENTRY uprobe 0x3f2d5 jmp",
        "gnutls_record_send WRITE_RETURN uretprobe 0x3f2d5 jmp",
        "gnutls_record_send2 WRITE_ENTRY uprobe 0x3ee70 push",
        "gnutls_record_send2 WRITE_RETURN uretprobe 0x3ee70 push",
        "gnutls_record_send_range WRITE_ENTRY uprobe 0x3b210 push",
        "gnutls_record_send_range WRITE_RETURN uretprobe 0x3b210 push",
        "gnutls_record_uncork FLUSH_ENTRY uprobe 0x3f930 push",
        "gnutls_record_uncork FLUSH_RETURN uretprobe 0x3f930 push",
        "gnutls_deinit CLOSE uprobe 0x77443 je",
    ]
    assert chosen.missing == ()
    assert {site.function for site in chosen.sites if not site.emulated} == {
        "gnutls_record_recv",
        "gnutls_record_recv_seq",
    }


def test_without_return_probes_nothing_is_half_read() -> None:
    """Its functions leave by jumps, so without return probes none is read, and the reason is told."""
    chosen = GnuTls.plan(load(DEBIAN), Abilities(uretprobe_safe=False))  # type: ignore[arg-type]
    assert chosen.sites == ()
    assert {reason.partition(":")[0] for reason in chosen.missing} >= {"gnutls_record_recv", "gnutls_record_send"}


def test_a_file_without_them_has_no_sites() -> None:
    """And says nothing."""
    assert GnuTls.plan(Build([]), Abilities(uretprobe_safe=True)) == Plan(sites=())  # type: ignore[arg-type]
