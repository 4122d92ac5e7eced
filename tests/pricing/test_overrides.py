"""The customers' file: what it may say, and how it is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from agent.pricing.leaves import TokenType
from agent.pricing.overrides import Overrides, OverridesError, parse
from agent.pricing.units import Measure

DAY = date(2026, 11, 20)


def test_an_empty_file_changes_nothing_but_the_hash() -> None:
    """The file's bytes are part of the price book's version all the same."""
    read = parse("# nothing yet\n", "prices.yaml")
    assert (read.aliases, read.prices, read.discounts) == ((), (), ())
    assert read.digest != Overrides().digest


def test_the_first_alias_that_fits_wins() -> None:
    """By provider, host and model, each a glob, all in lower case."""
    read = parse(
        """
aliases:
  - {host: "*.openai.azure.com", model: "Chat-*", is: azure.ai.openai/gpt-4.1}
  - {model: "chat-*", is: accounts/fireworks/models/llama}
""",
        "prices.yaml",
    )
    first = read.alias("azure.ai.openai", "x.openai.azure.com", ("", "chat-prod"), DAY)
    second = read.alias("fireworks", "api.fireworks.ai", ("chat-prod",), DAY)
    assert first is not None
    assert second is not None
    assert (first.provider, first.model, first.line) == ("azure.ai.openai", "gpt-4.1", 3)
    # A model's own slashes: here the part before the first looks like a provider, and one that is none is refused nowhere else.
    assert (second.provider, second.model) == ("accounts", "fireworks/models/llama")
    assert read.alias("openai", "api.openai.com", ("gpt-4o",), DAY) is None


def test_days_of_a_contract_are_both_inside() -> None:
    """From the first day's first second to the last day's last."""
    read = parse(
        "discounts: [{provider: openai, percent: 12.5, from: 2026-01-01, until: 2026-06-30, contract: EA}]",
        "prices.yaml",
    )
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 30), date(2026, 7, 1)]
    assert [len(read.discounts_for("openai", "", (), day)) for day in days] == [0, 1, 1, 0]
    assert read.discounts[0].factor == Decimal("0.875")


def test_currencies_are_fixed_rates() -> None:
    """1.10 dollars for a euro: exactly, as written."""
    read = parse(
        "currencies: {EUR: 1.10}\nprices: [{model: m, per_million: {input: 0.1, output: 3}, currency: EUR}]", "p.yaml"
    )
    assert read.prices[0].by_unit[TokenType.INPUT].price_usd == Decimal("0.110")
    assert read.prices[0].by_unit[TokenType.CACHE_READ].price_usd == Decimal("0.110")
    assert read.prices[0].by_unit[TokenType.REASONING].price_usd == Decimal("3.30")
    assert Measure.WEB_SEARCH not in read.prices[0].by_unit


def test_flat_prices_make_tokens_free() -> None:
    """Who pays by the call pays nothing more by the token."""
    read = parse("prices: [{host: h, flat: 0.5}]", "p.yaml")
    assert read.prices[0].by_unit[Measure.REQUEST].price_usd == Decimal("0.5")
    assert read.prices[0].by_unit[TokenType.INPUT].price_usd == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("discount: []", r"p\.yaml, line 1: unknown key 'discount'"),
        ("a: [", r"p\.yaml, line 1: not valid YAML"),
        ("[1]", "must be a mapping"),
        ("aliases: {}", "must be a list"),
        ("aliases:\n  - {model: x}", r"line 2: an alias needs `is"),
        ("aliases:\n  - {is: x}", r"line 2: name at least one of"),
        ("prices:\n  - {model: m}", "needs either"),
        ("prices:\n  - {model: m, free: true, flat: 1}", "needs either"),
        ("prices:\n  - {model: m, free: maybe}", "true or false"),
        ("prices:\n  - model: m\n    per_million:\n      inptu: 3", r"line 4: unknown unit 'inptu'"),
        ("prices:\n  - {model: m, per_million: {input: -3}}", "must not be below 0"),
        ("prices:\n  - {model: m, per_million: {input: .nan}}", "number"),
        ("prices:\n  - {model: m, per_million: {input: NaN}}", "money"),
        ("prices:\n  - {model: m, per_million: {input: 1e99}}", "money"),
        ("prices:\n  - {model: m, flat: 1, gpus: 2}", "gpus means something"),
        ("prices:\n  - {model: m, flat: 1, currency: EUR}", "no rate for 'EUR'"),
        ("currencies: {eur: 1}", "three capital letters"),
        ("currencies: {EUR: 0}", "above 0"),
        ("currencies: {EUR: 1, EUR: 2}", "stands twice"),
        ("discounts:\n  - {model: m}", "percent"),
        ("discounts:\n  - {model: m, percent: 101}", "between"),
        ("discounts:\n  - {model: m, percent: ten}", "must be a number"),
        ("discounts:\n  - {model: m, percent: 1, from: soon}", "must be a day"),
        ("discounts:\n  - {model: m, percent: 1, from: 2026-02-01, until: 2026-01-01}", "until is before from"),
        ("discounts:\n  - {model: [m], percent: 1}", "must be a text"),
        ("x" * (1024 * 1024 + 1), "longer than"),
        ("[" * 5000, "not valid YAML"),
        ("\x00", "not valid YAML"),
    ],
)
def test_a_broken_file_is_refused_as_a_whole(text: str, complaint: str) -> None:
    """With file, line and reason, and never half of it."""
    with pytest.raises(OverridesError, match=complaint):
        parse(text, "p.yaml")
