"""JSON of agents, which may be anybody's."""

from __future__ import annotations

import pytest

from agent.top.reading import items, number, text


def test_what_is_no_list_is_refused() -> None:
    """In words; things in it that are no objects are left out."""
    for body in (b"x", b"[]", b'{"calls": 1}'):
        with pytest.raises(ValueError, match=r"is not JSON|has no list calls"):
            items(body, "calls")
    assert items(b'{"calls": [1, {"a": "b"}]}', "calls") == [{"a": "b"}]


def test_wrong_types_are_unknown() -> None:
    """Never 0."""
    one = {"a": "1.5", "b": "x", "c": 2, "d": []}
    assert [number(one, name) for name in "abcde"] == [1.5, None, 2, None, None]
    assert [text(one, name) for name in "acd"] == ["1.5", "", ""]
