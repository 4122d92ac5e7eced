"""From sites to programs: each role has one, in the sources too, and entries come last."""

from __future__ import annotations

from agent.capture import source
from agent.capture.links import Spot
from agent.capture.plan import Count, Probe, Role, Site
from agent.capture.programs import PROGRAMS, hits
from agent.capture.records import cookie

ENTRY = Site(function="f", role=Role.READ_ENTRY, probe=Probe.UPROBE, file_offset=1, emulated=True)
LEAVE = Site(
    function="f",
    role=Role.READ_RETURN,
    probe=Probe.UPROBE,
    file_offset=2,
    emulated=True,
    count=Count.STACK,
    stack_offset=8,
)
RETURN = Site(function="f", role=Role.READ_RETURN, probe=Probe.URETPROBE, file_offset=1, emulated=True)


def test_every_role_has_a_program() -> None:
    """In the table, and in the sources under that name."""
    assert {role for role, _ in PROGRAMS} == set(Role)
    text = source.load()
    assert [name for name in PROGRAMS.values() if f"int {name}(struct pt_regs *ctx)" not in text] == []


def test_returns_come_before_entries() -> None:
    """Each program once for uprobes and once for return probes, with a cookie that says link and count."""
    found = hits([ENTRY, LEAVE, RETURN], 7)
    assert list(found) == [("read_return", False), ("read_return", True), ("read_entry", False)]
    said = cookie(link=7, count=Count.STACK, stack_offset=8, pointer_argument=4)
    assert found["read_return", False] == [Spot(file_offset=2, cookie=said)]


def test_without_cookies() -> None:
    """Nothing can be said to a program of a kernel that knows none."""
    assert [spot.cookie for spots in hits([ENTRY, LEAVE], 0).values() for spot in spots] == [0, 0]
