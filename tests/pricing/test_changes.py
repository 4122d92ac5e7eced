"""What changes between books and days."""

from __future__ import annotations

from agent.pricing import PriceBook
from agent.pricing.changes import changes, models_of, question
from agent.pricing.leaves import TokenType
from agent.pricing.overlay import Overlay, parse
from tests.pricing.calls import at_ns

DAY = at_ns("2026-11-20")


def test_a_book_does_not_differ_from_itself() -> None:
    """On one day."""
    assert list(changes(PriceBook(), DAY, PriceBook(), DAY)) == []


def test_a_price_of_the_next_day_is_a_change() -> None:
    """Opus 4.6 lost its long-context price; only that is told, not what follows from it."""
    book = PriceBook()
    told = [
        change
        for change in changes(book, at_ns("2026-03-12"), book, at_ns("2026-03-13"))
        if (change.provider, change.model) == ("anthropic", "claude-opus-4-6")
    ]
    assert {change.unit for change in told} >= {TokenType.INPUT, TokenType.OUTPUT}
    assert TokenType.TOOL_USE not in {change.unit for change in told}


def test_an_added_model_is_a_change_from_nothing() -> None:
    """Also one that only the overlay has."""
    text = 'providers = ["acme"]\n[[price]]\nmodels = ["m"]\nfrom = 2026-01-01\nsource = "https://x"\nper_one = { page = 1 }'
    told = list(changes(PriceBook(overlay=Overlay([], "")), DAY, PriceBook(overlay=Overlay(parse(text, "a"), "")), DAY))
    assert [(change.model, change.before, change.after is not None) for change in told] == [("m", None, True)]


def test_models_have_names_not_patterns() -> None:
    """A glob can't be looked up."""
    assert not any("*" in model for models in models_of(PriceBook()).values() for model in models)
    assert question("openai", "m", tier="batch").batch
