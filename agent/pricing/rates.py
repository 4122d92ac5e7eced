"""The values between a source of prices and the engine: who asks for what (``Selectors``), and what it costs (``Rates``)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from agent.model import CostSource, Multiplier
from agent.pricing.leaves import TokenType
from agent.pricing.units import Unit

# Longer names are no model's: matching costs time per character.
MAX_MODEL_LENGTH = 256


class PriceBookError(Exception):
    """A source has something that we do not understand; its message names the model."""


class Selector(enum.StrEnum):
    """What else than the model and the time decides on a price."""

    SERVICE_TIER = "service_tier"
    PROCESSING = "processing"
    SPEED = "speed"
    REGION = "region"
    VARIANT = "variant"
    """Size and quality of pictures, kind of processor: as ``Reading.variant``."""


Selectors = Mapping[Selector, str]
"""As served.  What is standard is left out, so an empty mapping is the plain list price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What ``per`` units cost."""

    price_usd: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()
    """(threshold, price), highest first: with more input tokens than the threshold, *all* units cost this."""
    per: int
    exact: bool = True
    """Whether the price is for this very unit, not for a wider one (any cache write instead of an hour's)."""
    minimum: Decimal = Decimal(0)
    """The least quantity that is billed (Groq: 10 seconds of audio)."""
    entry: str = ""
    """Which entry of the overlay says so: ``openai#7``; "" for the base book."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A multiplier and what it is on."""

    multiplier: Multiplier
    units: frozenset[Unit]
    contract: bool = False
    """The customer's own, so the list price is kept beside the amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one model costs at one moment under one set of selectors."""

    rule: str
    by_unit: Mapping[Unit, Rate]
    priced: frozenset[Selector] = frozenset()
    """The selectors that these prices are for."""
    unpriced: frozenset[Selector] = frozenset()
    """Those that were asked for and that no source knows for this model: the standard price is given then."""
    factors: tuple[Factor, ...] = ()
    source: CostSource = CostSource.PRICE_BOOK
    gpus: Decimal = Decimal(1)
    """How many GPUs a second of a call counts for."""


TOKEN_UNITS: frozenset[Unit] = frozenset(TokenType)
ALL_UNITS: frozenset[Unit] = frozenset(unit for kind in Unit.__args__ for unit in kind)
