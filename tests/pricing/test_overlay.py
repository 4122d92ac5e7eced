"""Our own dated prices: what the files may say, and which entry wins."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pytest

from agent.pricing.catalog import Catalog
from agent.pricing.leaves import TokenType
from agent.pricing.overlay import Overlay, bundled, parse
from agent.pricing.rates import PriceBookError, Selector
from agent.pricing.units import Measure
from tests.pricing.calls import at_ns

RECORDED = Path(__file__).with_name("overlay_entries.txt")
HEAD = 'providers = ["acme"]\n'


def entry(more: str, models: str = '["m"]', since: str = "2026-01-01") -> str:
    return f'[[price]]\nmodels = {models}\nfrom = {since}\nsource = "https://example.com"\n{more}\n'


def overlay(*blocks: str) -> Overlay:
    return Overlay(parse(HEAD + "\n".join(blocks), "acme"), "digest")


def input_price(
    book: Overlay, *, at: str = "2026-06-01", model: str = "m", selectors: dict[Selector, str] | None = None
) -> Decimal | None:
    rates = book.rates("acme", model, None, at_ns=at_ns(at), selectors=selectors or {})
    return None if rates is None else rates.by_unit[TokenType.INPUT].price_usd


def test_a_later_entry_replaces_an_earlier_one_from_its_day_on() -> None:
    """And not a second sooner; before the first there is no price."""
    book = overlay(entry("per_million = { input = 1 }"), entry("per_million = { input = 2 }", since="2026-05-01"))
    assert input_price(book, at="2025-12-31T23:59:59") is None
    assert input_price(book, at="2026-04-30T23:59:59") == 1
    assert input_price(book, at="2026-05-01") == 2


def test_a_withdrawn_entry_is_void_from_that_day_on() -> None:
    """What was priced by it before stays."""
    book = overlay(entry("per_million = { input = 1 }"), entry("withdrawn = true", since="2026-05-01"))
    assert input_price(book, at="2026-04-30") == 1
    assert input_price(book) is None


def test_more_conditions_win() -> None:
    """Whatever the order of the file, and only when they are fulfilled."""
    book = overlay(
        entry('when = { service_tier = ["fast", "priority"] }\nper_million = { input = 4 }'),
        entry("per_million = { input = 1 }"),
    )
    assert input_price(book) == 1
    assert input_price(book, selectors={Selector.SERVICE_TIER: "priority"}) == 4
    rates = book.rates("acme", "m", None, at_ns=at_ns("2026-06-01"), selectors={Selector.SERVICE_TIER: "flex"})
    assert rates is not None
    assert (rates.by_unit[TokenType.INPUT].price_usd, rates.unpriced) == (1, {Selector.SERVICE_TIER})


def test_hours_and_weekdays() -> None:
    """Both must hold; the end of a window is outside it."""
    book = overlay(
        entry("per_million = { input = 1 }"),
        entry('hours_utc = ["06:00-10:00"]\nweekdays = [1]\nper_million = { input = 2 }'),
    )
    assert input_price(book, at="2026-11-23T06:00:00") == 2
    assert input_price(book, at="2026-11-23T10:00:00") == 1
    assert input_price(book, at="2026-11-24T06:00:00") == 1


def test_any_model_fills_gaps_and_makes_no_model_known() -> None:
    """`*` adds a tool's price to models that are known otherwise; it neither prices strangers nor overrides."""
    book = overlay(
        entry("per_thousand = { web_search = 10, input = 9 }", models='["*"]'), entry("per_million = { input = 1 }")
    )
    rates = book.rates("acme", "m", None, at_ns=at_ns("2026-06-01"), selectors={})
    assert rates is not None
    assert rates.by_unit[Measure.WEB_SEARCH].price_usd == 10
    assert input_price(book) == 1
    assert input_price(book, model="stranger") is None


def test_a_standard_price_of_ours_does_not_hide_a_tier_of_the_base_book() -> None:
    """The base book knows gpt-5's flex price; an entry without conditions must not put the standard price in its place."""
    text = 'providers = ["openai"]\n' + entry("per_million = { input = 99 }", models='["gpt-5"]')
    book = Overlay(parse(text, "x"), "")
    for selectors, expected in (({}, Decimal(99)), ({Selector.SERVICE_TIER: "flex"}, Decimal("0.625"))):
        base = Catalog().rates("openai", "gpt-5", at_ns=at_ns("2026-11-20"), selectors=selectors)
        rates = book.rates("openai", "gpt-5", base, at_ns=at_ns("2026-11-20"), selectors=selectors)
        assert rates is not None
        assert rates.by_unit[TokenType.INPUT].price_usd == expected


def test_cliffs_and_minimums() -> None:
    """Thresholds stand highest first, as the engine asks them."""
    block = (
        "per_million = { input = 1 }\nabove = [{ input_tokens = 100, per_million = { input = 2 } }, "
        "{ input_tokens = 200, per_million = { input = 3 } }]\nminimum = { input = 5 }"
    )
    rates = overlay(entry(block)).rates("acme", "m", None, at_ns=at_ns("2026-06-01"), selectors={})
    assert rates is not None
    assert rates.by_unit[TokenType.INPUT].tiers == ((200, 3), (100, 2))
    assert rates.by_unit[TokenType.INPUT].minimum == 5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("providers = [", "TOML"),
        ("x = 1", "providers"),
        (HEAD + "x = 1", "only providers"),
        (HEAD + entry("per_milion = { input = 1 }"), r"acme#1: unknown key per_milion"),
        (HEAD + entry("per_million = { inptu = 1 }"), "unknown unit inptu"),
        (HEAD + entry("per_million = { input = -1 }"), "below 0"),
        (HEAD + entry("per_million = { input = nan }"), "number|below 0"),
        (HEAD + entry('per_million = { input = "1" }'), "must be a number"),
        (HEAD + entry("per_million = { input = true }"), "must be a number"),
        (HEAD + entry("", models='""').replace('""', "3"), "models"),
        (HEAD + entry("", since='"soon"'), "from must be a day"),
        (HEAD + entry("").replace("https", "ftp"), "source"),
        (HEAD + entry('when = { weather = "fine" }'), "weather"),
        (HEAD + entry('hours_utc = ["22:00-02:00"]'), "midnight"),
        (HEAD + entry('hours_utc = ["8-9"]'), "like 01:00-04:00"),
        (HEAD + entry("weekdays = [0]"), "weekdays"),
        (HEAD + entry("per_one = { page = 1 }") + entry("per_one = 3"), r"acme#2"),
        (
            HEAD + entry("per_million = { input = 1 }\nabove = [{ input_tokens = 1, per_one = { input = 2 } }]"),
            "per 1000000",
        ),
    ],
)
def test_a_broken_file_is_refused_as_a_whole(text: str, complaint: str) -> None:
    """With the entry's name and the reason; nothing of it is used."""
    with pytest.raises(PriceBookError, match=complaint):
        list(parse(text, "acme"))


def test_the_bundled_entries_are_only_appended_to() -> None:
    """Old costs must stay explainable: every entry that was ever released is still there, word by word, in its place.

    After adding entries: ``python -m tests.pricing.test_overlay`` writes the list anew.
    """
    recorded = RECORDED.read_text().split("\n")[:-1]
    assert set(recorded) <= set(digests())
    assert len(recorded) == len(digests()), "new entries: run python -m tests.pricing.test_overlay"


def test_every_bundled_entry_names_its_source_and_is_not_of_the_far_future() -> None:
    """A page to check it at, a day it begins; a globbed model or a plain one, but always lower case."""
    for one in bundled().entries:
        assert one.source.startswith("https://")
        assert one.since.year in range(2022, 2028)
        assert one.by_unit or one.factor is not None or one.withdrawn, one.name


def digests() -> list[str]:
    found = []
    folder = resources.files("agent.pricing") / "prices"
    for file in sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name):
        for number, block in enumerate(file.read_text().split("[[price]]")[1:], 1):
            found.append(f"{file.name}#{number} {hashlib.sha256(block.strip().encode()).hexdigest()[:16]}")
    return found


if __name__ == "__main__":
    RECORDED.write_text("\n".join(digests()) + "\n")
