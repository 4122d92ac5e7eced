"""Bounds of label values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.sinks.limits import OTHER, Limiter, clean


def test_later_values_are_other() -> None:
    """The first keep their names for good; how often a value was turned away is counted."""
    limiter = Limiter({"model": 2, "pod": 1})
    assert [limiter.admit("model", name) for name in ("a", "b", "c", "a", "c", "")] == ["a", "b", OTHER, "a", OTHER, ""]
    assert limiter.turned_away == {"model": 2, "pod": 0}


def test_labels_without_a_limit_pass() -> None:
    """They are closed sets of our own."""
    limiter = Limiter({"model": 1})
    assert [limiter.admit("outcome", name) for name in ("ok", "cut")] == ["ok", "cut"]


def test_what_no_series_has_makes_room() -> None:
    """Places are freed by use, not by age."""
    limiter = Limiter({"pod": 2})
    for name in ("a", "b", "c"):
        limiter.admit("pod", name)
    limiter.keep("pod", {"b", "never seen"})
    limiter.keep("outcome", set())
    assert [limiter.admit("pod", name) for name in ("c", "b", "a")] == ["c", "b", OTHER]


@given(st.text(max_size=400))
def test_any_text_becomes_a_label(text: str) -> None:
    """At most 128 characters, printable, and cleaning twice changes nothing."""
    cleaned = clean(text)
    assert len(cleaned) <= 128
    assert cleaned.isprintable()
    assert clean(cleaned) == cleaned


def test_control_characters_are_shown_as_marks() -> None:
    """A new line in a model's name can't begin a line of the page."""
    assert clean("gpt\n4\x00o\u202e") == "gpt?4?o?"
    assert clean("qwen/模型-7b") == "qwen/模型-7b"
