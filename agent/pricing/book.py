"""
The price book: every source of prices behind one question, and one version with a hash over all of them.

Order: what the customer wrote, then our dated overlay over the base tables; contracts on top.  The served model is asked for first,
then the requested one.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from agent.model import CostSource, Multiplier, Unpriced
from agent.pricing import overlay as overlays
from agent.pricing.catalog import Catalog
from agent.pricing.overlay import Overlay
from agent.pricing.overrides import Overrides, day_of
from agent.pricing.rates import Factor, PriceBookError, Rates, Selector
from agent.pricing.regions import region_of

_STANDARD_TIERS = frozenset(
    {"", "default", "standard", "auto", "on_demand", "unspecified", "traffic_type_unspecified", "spillover"}
)
# Paid for in advance, by the hour or the month: one more call costs nothing more, and its share is not in the call.
# Azure's: the deployment's own capacity was full, and the call went to one that is billed by the call.
SPILLOVER = "spillover"
_COMMITTED_TIERS = frozenset({"provisioned_throughput", "provisioned", "reserved"})
_STANDARD_SPEEDS = frozenset({"", "standard", "normal"})

UNKNOWN_PROVIDER = Unpriced(reason="unknown_provider")
UNKNOWN_MODEL = Unpriced(reason="unknown_model")
COMMITTED = Unpriced(reason="committed")
BOOK_ERROR = Unpriced(reason="price_book_error")


class Question(NamedTuple):
    """All that decides on prices but the moment: the key under which answers are remembered."""

    provider: str
    host: str
    served: str
    requested: str
    tier: str
    speed: str
    geo: str
    batch: bool
    variant: str


class Plan(NamedTuple):
    """All that can be known before anything is counted."""

    rates: Rates
    remarks: tuple[str, ...]


class PriceBook:
    """Immutable: new prices are a new book."""

    def __init__(
        self, catalog: Catalog | None = None, overlay: Overlay | None = None, overrides: Overrides | None = None
    ) -> None:
        self.catalog = Catalog() if catalog is None else catalog
        self.overlay = overlays.bundled() if overlay is None else overlay
        self.overrides = Overrides() if overrides is None else overrides
        digests = (self.catalog.digest, self.overlay.digest, self.overrides.digest)
        self.digest = hashlib.sha256(" ".join(digests).encode()).hexdigest()
        own = f" overrides {self.overrides.digest[:8]}" if self.overrides.digest else ""
        self.version = f"{self.catalog.edition} overlay {self.overlay.edition}{own} sha256:{self.digest[:16]}"

    def plan(self, question: Question, at_ns: int) -> Plan | Unpriced:
        """Not for the hot path: some 0.2 ms."""
        day = day_of(at_ns)
        names: tuple[str, ...] = (question.served.lower(), question.requested.lower())
        provider, host = question.provider, question.host
        spilled = question.tier == SPILLOVER
        own = self.overrides.price(provider, host, names, day)
        # What is free because its capacity is paid for is not free where the capacity was full.
        if own is not None and not (spilled and own.free):
            rates = Rates(rule=f"customer {own.name}", by_unit=own.by_unit, source=CostSource.CUSTOMER, gpus=own.gpus)
            return Plan(self._discounted(rates, provider, host, names, day), ())
        alias = self.overrides.alias(provider, host, names, day)
        selectors = _selectors(question)
        if alias is not None:
            provider = alias.provider or provider
            names = (alias.model.lower(),)
            if alias.region:
                selectors[Selector.REGION] = alias.region
            if alias.service_tier and not spilled:
                selectors[Selector.SERVICE_TIER] = alias.service_tier
        if selectors.get(Selector.SERVICE_TIER, "") in _COMMITTED_TIERS:
            return COMMITTED
        if not self.catalog.knows_provider(provider) and not self.overlay.knows_provider(provider):
            return UNKNOWN_PROVIDER
        try:
            found = self._listed(provider, names, selectors, at_ns)
        except PriceBookError:
            return BOOK_ERROR
        if found is None:
            return UNKNOWN_MODEL
        rates, served = found
        remarks = [f"{word}_not_priced" for selector, word in _REMARKS.items() if selector in rates.unpriced]
        if not served:
            remarks.append("requested_model_priced")
        if alias is not None:
            rates = replace(rates, rule=f"{rates.rule} alias")
        original = (question.served.lower(), question.requested.lower(), *names)
        return Plan(self._discounted(rates, question.provider, host, original, day), tuple(dict.fromkeys(remarks)))

    def _listed(
        self, provider: str, names: tuple[str, ...], selectors: dict[Selector, str], at_ns: int
    ) -> tuple[Rates, bool] | None:
        """The list prices, and whether they are for the first name that was given at all."""
        given = [name for name in names if name]
        for number, name in enumerate(given):
            base = self.catalog.rates(provider, name, at_ns=at_ns, selectors=selectors)
            rates = self.overlay.rates(provider, name, base, at_ns=at_ns, selectors=selectors)
            if rates is not None:
                return rates, number == 0
        if not given and self.overlay.knows_provider(provider):
            # Services that have no models: searching, crawling, guarding.
            rates = self.overlay.rates(provider, "", None, at_ns=at_ns, selectors=selectors)
            return None if rates is None else (rates, True)
        return None

    def _discounted(self, rates: Rates, provider: str, host: str, names: tuple[str, ...], day: date) -> Rates:
        contracts = tuple(
            Factor(multiplier=Multiplier(name=one.name, factor=one.factor), units=one.on, contract=True)
            for one in self.overrides.discounts_for(provider, host, names, day)
            if one.factor != _ONE
        )
        return replace(rates, factors=(*rates.factors, *contracts)) if contracts else rates


_ONE = Decimal(1)
_REMARKS = {
    Selector.SERVICE_TIER: "tier",
    Selector.PROCESSING: "tier",
    Selector.SPEED: "speed",
    Selector.REGION: "geo",
}


def _selectors(question: Question) -> dict[Selector, str]:
    tier = question.tier.lower().removeprefix("service_tier_").removeprefix("on_demand_")
    speed = question.speed.lower()
    region = region_of(question.provider, question.host, question.geo)
    selectors = {}
    if tier == "batch" or question.batch:
        selectors[Selector.PROCESSING] = "batch"
    elif tier not in _STANDARD_TIERS:
        selectors[Selector.SERVICE_TIER] = tier
    if speed not in _STANDARD_SPEEDS:
        selectors[Selector.SPEED] = speed
    if region:
        selectors[Selector.REGION] = region
    if question.provider == "aws.bedrock" and question.variant == "optimized":
        selectors[Selector.SPEED] = "optimized"  # latency: dearer, so it must not pass for standard in silence
    elif question.variant:
        selectors[Selector.VARIANT] = question.variant.lower()
    return selectors
