"""Two independent price lists, and CI's guard over their agreement."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from importlib import resources

import pytest

from agent.pricing.agreement import Tally, Verdict, compare, dropped, recorded_level, second_opinion, tally
from agent.pricing.catalog import Catalog
from agent.pricing.rates import PriceBookError
from tests.pricing.calls import at_ns

DAY = at_ns("2026-11-24")
CATALOG = Catalog()


def verdicts(name: str, **entry: object) -> list[Verdict]:
    data = json.dumps({name: {"litellm_provider": "openai", "mode": "chat", **entry}}).encode()
    return list(compare(data, CATALOG, at_ns=DAY))


def test_agreement_has_not_dropped() -> None:
    """Neither list may be changed so that fewer models agree than recorded, at any provider."""
    tallies = tally(compare(second_opinion(), CATALOG, at_ns=DAY))
    assert dropped(tallies, recorded_level()) == []
    # And the record is not far behind: a level that is too low guards nothing.
    assert all(tallies[name].share - least < Decimal("0.002") for name, least in recorded_level().items())
    # Nor does it leave a provider out that both lists have.
    assert recorded_level().keys() == {name for name, one in tallies.items() if one.agree + one.differ}


def test_the_record_is_dated_and_of_these_lists() -> None:
    """Another edition of the base tables asks for a new record, with its day."""
    text = (resources.files("agent.pricing") / "second" / "agreement.toml").read_text(encoding="utf-8")
    record = tomllib.loads(text)
    assert isinstance(record["recorded"], date)
    assert record["base"] in CATALOG.edition
    assert record["second"].partition(" ")[2] in (resources.files("agent.pricing") / "second" / "README.md").read_text()


def test_the_guard_can_fail() -> None:
    """A provider that agrees less, or that is gone, is named."""
    level: Mapping[str, Decimal] = {"a": Decimal("0.9"), "b": Decimal("0.5"), "c": Decimal("0.5")}
    assert dropped({"a": Tally(agree=8, differ=2), "b": Tally(agree=5, differ=5)}, level) == ["a", "c"]


def test_verdicts() -> None:
    """Equal, different, and unknown to the base book; a price that only one has is a gap, not a difference."""
    same = {"input_cost_per_token": "0.0000025", "output_cost_per_token": "0.00001"}
    assert verdicts("gpt-4o", **same)[0].outcome == "agree"
    assert verdicts("gpt-4o", **same, cache_creation_input_token_cost="0.1")[0].outcome == "agree"
    (differs,) = verdicts("gpt-4o", **{**same, "input_cost_per_token": 3e-06})
    assert (differs.outcome, differs.differences) == ("differ", ("input 2.5 ≠ 3",))
    assert verdicts("house-model", **same)[0].outcome == "missing"


@pytest.mark.parametrize(
    "entry",
    [
        {"litellm_provider": "somebody"},
        {"mode": "image_generation"},
        {"input_cost_per_token": None},
        {"input_cost_per_token": "dear"},
        {"input_cost_per_token": True},
        {"off_peak_pricing": {}},
    ],
)
def test_what_can_not_be_compared_is_left_out(entry: dict[str, object]) -> None:
    """Other providers, other units, prices by the hour of the day, no price at all."""
    assert verdicts("gpt-4o", **{"input_cost_per_token": "0.1", **entry}) == []


def test_a_broken_copy_is_an_error() -> None:
    """Not an agreement of nothing."""
    for data in (b"{", b"[]"):
        with pytest.raises(PriceBookError):
            list(compare(data, CATALOG, at_ns=DAY))


def test_the_copy_is_small_and_keeps_its_licence() -> None:
    """Below a megabyte; MIT wants its text beside it."""
    folder = resources.files("agent.pricing") / "second"
    assert len(second_opinion()) < 1_000_000
    assert "Permission is hereby granted" in (folder / "LICENSE").read_text()
    assert "Berri AI" in (folder / "LICENSE").read_text()
