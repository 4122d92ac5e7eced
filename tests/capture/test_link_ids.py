"""Links' numbers: the same code is known by them, and probes that came back are not those that went."""

from __future__ import annotations

import pytest

from agent.capture import link_ids
from agent.capture.link_ids import MEMBER_BITS, LinkIds
from agent.capture.plan import Probe, Role, Site

SITES = [
    Site(function="f", role=Role.CLOSE, probe=Probe.UPROBE, file_offset=offset, emulated=True) for offset in (1, 2)
]


def code(link: int) -> int:
    return link >> MEMBER_BITS


def test_one_code_under_two_mounts() -> None:
    """Two links, one code; another inode, or other sites, are another."""
    ids = LinkIds()
    first, second, other, changed = ids.take(7, SITES), ids.take(7, SITES), ids.take(8, SITES), ids.take(7, SITES[:1])
    assert first != second
    assert code(first) == code(second)
    assert len({code(first), code(other), code(changed), 0}) == 4


def test_who_comes_back_is_another() -> None:
    """As long as one of them is in place the code goes on; after the last one its next link is another code's."""
    ids = LinkIds()
    first = ids.take(7, SITES)
    second = ids.take(7, SITES)
    ids.give_back(first)
    third = ids.take(7, SITES)
    assert (third != second, code(third), ids.gone(first)) == (True, code(second), False)
    ids.give_back(second)
    ids.give_back(third)
    assert ids.gone(first)
    assert code(ids.take(7, SITES)) != code(first)
    assert not ids.gone(0)


def test_more_than_a_number_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full code gets a second number, and all of them go; numbers come round without meeting one that is in use."""
    monkeypatch.setattr(link_ids, "_MEMBERS", 2)
    monkeypatch.setattr(link_ids, "_CODES", 4)
    ids = LinkIds()
    kept = [ids.take(7, []) for _ in range(3)]
    assert len({code(one) for one in kept}) == 2
    for _ in range(10):
        link = ids.take(8, [])
        assert link not in kept
        assert 0 < code(link) < 4
        ids.give_back(link)
    for link in kept:
        ids.give_back(link)
    assert ids._members == {}
    assert ids._numbers == {}
