"""s2n's functions, and their sites in a real build."""

from __future__ import annotations

from agent.capture.sites import Abilities
from agent.capture.stacks.s2n import S2N
from tests.capture.builds import load


def test_sites_of_a_real_build() -> None:
    """
    Read off the disassembly by hand: s2n_recv begins with a padded `push`, which takes no probe, so it is left at its `ret`.

    s2n_send calls s2n_sendv_with_offset, whose second argument is a list of buffers: that one has no site.
    """
    chosen = S2N.plan(load("s2n/awscrt-0.38.1"), Abilities(uretprobe_safe=True))  # type: ignore[arg-type]
    assert [
        f"{site.function} {site.role.name} {site.probe} {site.file_offset:#x} {site.instruction.split()[0]}"
        for site in chosen.sites
    ] == [
        "s2n_recv READ_ENTRY uprobe 0x1b1d43 je",
        "s2n_recv READ_RETURN uprobe 0x1b1d90 ret",
        "s2n_send WRITE_ENTRY uprobe 0x1b9770 first",
        "s2n_send WRITE_RETURN uretprobe 0x1b9770 first",
        "s2n_connection_free CLOSE uprobe 0x197e1b call",
        "s2n_connection_wipe CLOSE uprobe 0x198aa0 push",
    ]
    assert chosen.missing == ()


def test_no_probe_where_the_kernel_takes_none() -> None:
    """At first instructions s2n_recv can't be read, and that is told."""
    abilities = Abilities(uretprobe_safe=True, first_instructions=True)
    chosen = S2N.plan(load("s2n/awscrt-0.38.1"), abilities)  # type: ignore[arg-type]
    assert "s2n_recv" not in {site.function for site in chosen.sites}
    assert any(reason.startswith("s2n_recv:") for reason in chosen.missing)
