"""All sources together: their order, and one version over them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agent.model import Cost, Unpriced, Usage
from agent.pricing import PriceBook, Pricer
from agent.pricing.catalog import Catalog
from agent.pricing.overlay import Overlay
from agent.pricing.overrides import parse
from tests.pricing.calls import call


def test_the_version_is_over_all_sources() -> None:
    """Equal versions mean equal prices: another overlay or another customers' file is another version."""
    plain, without = PriceBook(), PriceBook(overlay=Overlay([], "none"))
    own = PriceBook(overrides=parse("discounts: [{model: '*', percent: 1}]", "p.yaml"))
    assert PriceBook().version == plain.version
    assert len({plain.version, without.version, own.version}) == 3
    assert plain.version.startswith("genai-prices 0.2.3 overlay 20")
    assert " overrides " in own.version


def test_the_version_stands_with_every_cost() -> None:
    """So that an entry names the prices it was made with."""
    pricer = Pricer()
    cost = pricer.price(call())
    assert isinstance(cost, Cost)
    assert cost.price_book == pricer.price_book == pricer.book.version


def test_new_prices_are_for_new_calls() -> None:
    """What is remembered of the old book goes with it."""
    pricer = Pricer()
    before = pricer.price(call())
    pricer.use(PriceBook(overrides=parse("discounts: [{model: '*', percent: 50}]", "p.yaml")))
    after = pricer.price(call())
    assert isinstance(before, Cost)
    assert isinstance(after, Cost)
    assert after.total_usd * 2 == before.total_usd
    assert after.price_book != before.price_book


def test_an_alias_leads_to_a_list_price_and_says_so() -> None:
    """Also to another provider's: an in-cluster host that forwards to Anthropic."""
    own = parse("aliases: [{host: llm.svc, model: big, is: anthropic/claude-sonnet-4-6}]", "p.yaml")
    cost = Pricer(PriceBook(overrides=own)).price(call("unknown", "big", host="llm.svc"))
    assert isinstance(cost, Cost)
    assert cost.rule == "anthropic/claude-sonnet-4-6 alias"


def test_an_alias_to_nothing_is_an_unknown_model() -> None:
    """Not 0, and not the name on the wire."""
    own = parse("aliases: [{model: gpt-4o, is: openai/nothing}]", "p.yaml")
    assert Pricer(PriceBook(overrides=own)).price(call("openai", "gpt-4o")) == Unpriced(reason="unknown_model")


def test_a_providers_name_alone_prices_nothing() -> None:
    """A call without a model at a provider that sells models has no price, though prices of its tools are known."""
    assert Pricer().price(call("openai", "")) == Unpriced(reason="unknown_model")


def test_catalogs_can_be_exchanged() -> None:
    """A newer file of the base book stands in the version."""
    data = b'[{"id":"openai","name":"OpenAI","api_pattern":"x","models":[{"id":"m","match":{"equals":"m"},"prices":{"input_mtok":2}}]}]'
    book = PriceBook(Catalog.parse(data))
    assert book.version.startswith("genai-prices file ")
    cost = Pricer(book).price(call("openai", "m"))
    assert isinstance(cost, Cost)
    assert str(cost.lines[0].price_usd) == "2"


@pytest.mark.parametrize(
    ("rule", "inside"),
    [
        ('prices: [{model: "*-ptu", free: true}]\naliases: [{model: "*-ptu", is: gpt-4o}]', Decimal(0)),
        ('aliases: [{model: "*-ptu", is: gpt-4o, service_tier: provisioned}]', "committed"),
    ],
    ids=["called free", "called provisioned"],
)
def test_what_spills_over_is_billed_by_the_call(rule: str, inside: object) -> None:
    """An Azure deployment whose capacity is paid for, and was full: 2.50 + 10 a million, whatever the customers' file calls it."""
    pricer = Pricer(PriceBook(overrides=parse(rule, "prices.yaml")))
    usage = Usage(input_tokens=1000, output_tokens=1000)
    paid, spilled = (pricer.price(call("azure.ai.openai", "chat-ptu", usage, tier=tier)) for tier in ("", "spillover"))
    assert inside == (paid.total_usd if isinstance(paid, Cost) else paid.reason)
    assert isinstance(spilled, Cost)
    assert (spilled.total_usd, spilled.remarks) == (Decimal("0.0125"), ())
