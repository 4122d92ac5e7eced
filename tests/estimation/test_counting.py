"""Tokens without a vocabulary, and which vocabulary a model has."""

from __future__ import annotations

import time

import pytest
from toktok import batch_count

from agent.estimation.counting import CL100K, HARMONY, MAX_COUNTED_CHARS, O200K, ByCharacters, capped, encoding_of

TEXTS = {
    "English": "The invoice of last month is higher than expected; could you tell me which team spent most of it, and why? "
    * 5,
    "German": "Die Rechnung des letzten Monats ist höher als erwartet; könnten Sie mir sagen, welches Team das meiste ausgab? "
    * 5,
    "Chinese": "上个月的账单比预期的要高，你能告诉我哪个团队花费最多吗？为什么会这样？请详细说明。" * 5,
    "code": "def total(rows: list[Row]) -> Decimal:\n    return sum((row.amount for row in rows if row.paid), Decimal(0))\n"
    * 5,
    "JSON": '{"id": "inv_20251125", "rows": [{"team": "search", "usd": 1204.5}, {"team": "ads", "usd": 77}]}\n' * 5,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_classes_of_characters_come_near(text: str) -> None:
    """Within a quarter of OpenAI's own count, whatever the script."""
    (exact,) = batch_count([text], O200K, 1)
    assert abs(ByCharacters().count([text], O200K).tokens - exact) / exact < 0.25


def test_texts_add_up() -> None:
    """Many texts are counted like their parts, and nothing is nothing."""
    whole = ByCharacters().count(list(TEXTS.values()), O200K)
    parts = [ByCharacters().count([text], O200K).tokens for text in TEXTS.values()]
    assert abs(whole.tokens - sum(parts)) <= len(parts)
    assert whole.basis == "characters"
    assert ByCharacters().count([], O200K).tokens == ByCharacters().count([""], O200K).tokens == 0


def test_what_is_counted_is_bounded() -> None:
    """Of a longer text its beginning, and the rest in proportion."""
    kept, share = capped(["a" * MAX_COUNTED_CHARS, "b" * MAX_COUNTED_CHARS, "c"])
    assert sum(len(text) for text in kept) == MAX_COUNTED_CHARS
    assert share == pytest.approx(0.5, abs=0.001)
    few = ByCharacters().count(["word " * 100_000], O200K).tokens
    many = ByCharacters().count(["word " * 1_000_000], O200K).tokens
    assert many == pytest.approx(10 * few, rel=0.01)


@pytest.mark.parametrize("text", ["a", " ", "\n", "1", ".", "é", "漢", "🤷", "a1", "a.", ". ", "\\"])
def test_no_text_makes_it_slow(text: str) -> None:
    """Twice as long takes about twice the time: no run of anything is quadratic."""

    def seconds(length: int) -> float:
        made = text * length
        began = time.perf_counter()
        ByCharacters().count([made], O200K)
        return time.perf_counter() - began

    seconds(10_000)
    short, long = (min(seconds(length) for _ in range(3)) for length in (50_000, 400_000))
    assert long < 40 * short + 0.05


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4", CL100K),
        ("gpt-4-turbo-2024-04-09", CL100K),
        ("gpt-3.5-turbo", CL100K),
        ("gpt-35-turbo", CL100K),
        ("text-embedding-3-small", CL100K),
        ("ft:gpt-3.5-turbo:acme::1", CL100K),
        ("gpt-4o-mini", O200K),
        ("gpt-4.1", O200K),
        ("gpt-4.5-preview", O200K),
        ("gpt-5", O200K),
        ("o3", O200K),
        ("openai/gpt-oss-120b", HARMONY),
        ("claude-opus-5", O200K),
        ("", O200K),
    ],
)
def test_the_encoding_goes_by_the_model(model: str, encoding: str) -> None:
    """OpenAI's older models have the older vocabulary; for strangers the newest is the nearest."""
    assert encoding_of(model) == encoding
