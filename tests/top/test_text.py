"""Figures as people read them."""

from __future__ import annotations

import math

import pytest

from agent.top import text


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0, "$0"),
        (1e-9, "<$0.000001"),
        (0.00024, "$0.000240"),
        (0.0123456, "$0.01235"),
        (0.5, "$0.5000"),
        (0.99999, "$1.0000"),
        (12.345, "$12.35"),
        (1234567.891, "$1,234,567.89"),
    ],
)
def test_money(amount: float, said: str) -> None:
    """Digits that say something, and never $0 for what is more."""
    assert text.usd(amount) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (9999, "9,999"),
        (10_000, "10.0k"),
        (123_456, "123k"),
        (999_700, "1.0M"),
        (2.5e9, "2.5G"),
        (7e12, "7.0T"),
    ],
)
def test_numbers(number: float, said: str) -> None:
    """At most five characters."""
    assert text.number(number) == said
    assert len(said) <= 5


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "?"), (0.0004, "0ms"), (0.25, "250ms"), (1.04, "1.0s"), (42.4, "42s"), (math.inf, ">82s")],
)
def test_seconds(seconds: float | None, said: str) -> None:
    """Milliseconds below a second."""
    assert text.seconds(seconds) == said


def test_shares() -> None:
    """100 % means all of them; a share that is small has a mark all the same."""
    assert [text.percent(share) for share in (None, 0.0, 0.999, 1.0)] == ["–", "0%", "99%", "100%"]
    assert [text.bar(share) for share in (None, 0.0, 0.0001, 0.5, 1.0)] == ["", "", "▏", "████", "████████"]


def test_kinds_are_kubectls() -> None:
    """Known ones are abbreviated, others are written out."""
    said = [text.short(name) for name in ("Deployment/web", "StatefulSet/db", "Rollout/x", "")]
    assert said == ["deploy/web", "sts/db", "Rollout/x", ""]


def test_text_is_bounded_and_printable() -> None:
    """Whatever it was."""
    assert text.plain("a\x1b[31m\u202eb" + "c" * 1000) == "a?[31m?b" + "c" * 492
