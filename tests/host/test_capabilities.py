"""Rights by their bits."""

from __future__ import annotations

import pytest

from agent.host.capabilities import effective, may_load_bpf

# And no other set than the effective one.
STATUS = "Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t{:016x}\n"


def test_effective_capabilities_are_read_from_their_bits() -> None:
    """As the kernel numbers them; of those that decide nothing here, nothing."""
    assert effective(STATUS.format(0)) == frozenset()
    assert effective(STATUS.format(1 << 39 | 1 << 19)) == {"BPF", "SYS_PTRACE"}
    assert effective(STATUS.format((1 << 41) - 1)) == {"BPF", "PERFMON", "SYS_PTRACE", "SYS_ADMIN"}
    assert effective("") == frozenset()


@pytest.mark.parametrize(
    ("bits", "may"),
    [(0, False), (1 << 39, False), (1 << 38, False), (1 << 39 | 1 << 38, True), (1 << 21, True)],
)
def test_who_may_load_programs(bits: int, may: bool) -> None:
    """Root's old right, or the two new ones together."""
    assert may_load_bpf(STATUS.format(bits)) is may
