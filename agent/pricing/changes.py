"""What changes between two price books, or between two days of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from agent.model import Unpriced
from agent.pricing.book import PriceBook, Question
from agent.pricing.catalog import PROVIDERS
from agent.pricing.leaves import TokenType
from agent.pricing.rates import Rate
from agent.pricing.units import Unit

_WIDE = (TokenType.INPUT, TokenType.OUTPUT)
_GLOB = frozenset("*?[")


class Change(NamedTuple):
    provider: str
    model: str
    unit: Unit
    before: Rate | None
    after: Rate | None


def question(
    provider: str, model: str, *, host: str = "", tier: str = "", region: str = "", variant: str = ""
) -> Question:
    """A look-up without a call."""
    return Question(provider, host, model, "", tier, "", region, tier == "batch", variant)


def rates_of(book: PriceBook, asked: Question, at_ns: int) -> Mapping[Unit, Rate]:
    plan = book.plan(asked, at_ns)
    return {} if isinstance(plan, Unpriced) else plan.rates.by_unit


def models_of(book: PriceBook) -> dict[str, set[str]]:
    """Provider → the models that the book has by name."""
    found = {provider: {model.lower() for model in book.catalog.models(provider)} for provider in PROVIDERS}
    for entry in book.overlay.entries:
        for provider in entry.providers:
            names = {model for model in entry.models if model and not _GLOB & set(model)}
            found.setdefault(provider, set()).update(names)
    return found


def changes(before: PriceBook, before_ns: int, after: PriceBook, after_ns: int) -> Iterator[Change]:
    """Prices that differ, of every model that either book has by name."""
    old_models, new_models = models_of(before), models_of(after)
    for provider in sorted(old_models.keys() | new_models.keys()):
        for model in sorted(old_models.get(provider, set()) | new_models.get(provider, set())):
            asked = question(provider, model)
            old, new = rates_of(before, asked, before_ns), rates_of(after, asked, after_ns)
            if old == new:
                continue
            for unit in sorted(old.keys() | new.keys()):
                was, now = old.get(unit), new.get(unit)
                if not any(rate is not None and (rate.exact or unit in _WIDE) for rate in (was, now)):
                    continue  # follows from another unit's price
                if _figures(was) != _figures(now):
                    yield Change(provider, model, unit, was, now)


def _figures(rate: Rate | None) -> tuple[Decimal, tuple[tuple[int, Decimal], ...]] | None:
    return None if rate is None else (rate.price_usd / rate.per, rate.tiers)
