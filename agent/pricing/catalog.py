"""
The price book: the only file that knows ``genai-prices``.

It reads the library's bundled tables and its rules for models, dates, tiers and variants, and gives them out as ``Rates``, one rate per
kind of unit.  Nothing global of the library is used but its table of units: no snapshot, no look-up caches (they grow with every
model name that a pod invents), no updates from the network.

The place for more: our dated overlay and customers' own prices will be catalogs of their own with the same ``rates``, asked before this one.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib import metadata, resources

from genai_prices.data import providers as book_providers
from genai_prices.data_units import unit_data
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from agent.pricing.leaves import TokenType

# gen_ai.provider.name → the book's provider.  What is missing here is unpriced, not guessed.
_PROVIDERS = {
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "groq": "groq",
    "minimax": "minimax",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "novita": "novita",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together",
    "voyage": "voyageai",
    "x_ai": "x-ai",
    "zai": "zai",
}

# Longer names are no model's: matching costs time per character.
MAX_MODEL_LENGTH = 256


class ToolType(enum.StrEnum):
    """What is billed beside tokens."""

    WEB_SEARCH = "web_search"
    STORAGE_SEARCH = "storage_search"
    REQUEST = "request"


Unit = TokenType | ToolType

# Which of the book's dimensions a unit of ours has.  It costs the most specific price whose dimensions it fulfils.
_TOKENS_IN = {"family": "tokens", "direction": "input"}
_TOKENS_OUT = {"family": "tokens", "direction": "output"}
_DIMENSIONS: Mapping[Unit, Mapping[str, str]] = {
    TokenType.INPUT: _TOKENS_IN,
    TokenType.CACHE_READ: _TOKENS_IN | {"token_type": "cache_read"},
    TokenType.CACHE_WRITE: _TOKENS_IN | {"token_type": "cache_write"},
    TokenType.CACHE_WRITE_1H: _TOKENS_IN | {"token_type": "cache_write", "cache_ttl": "1h"},
    TokenType.TOOL_USE: _TOKENS_IN | {"token_type": "tool"},
    TokenType.INPUT_AUDIO: _TOKENS_IN | {"modality": "audio"},
    TokenType.INPUT_IMAGE: _TOKENS_IN | {"modality": "image"},
    TokenType.INPUT_VIDEO: _TOKENS_IN | {"modality": "video"},
    TokenType.OUTPUT: _TOKENS_OUT,
    TokenType.REASONING: _TOKENS_OUT | {"token_type": "reasoning"},
    TokenType.OUTPUT_AUDIO: _TOKENS_OUT | {"modality": "audio"},
    TokenType.OUTPUT_IMAGE: _TOKENS_OUT | {"modality": "image"},
    ToolType.WEB_SEARCH: {"family": "tool_calls", "tool_type": "web_search"},
    ToolType.STORAGE_SEARCH: {"family": "tool_calls", "tool_type": "storage_search"},
    ToolType.REQUEST: {"family": "requests"},
}


class PriceBookError(Exception):
    """The book has something that we do not understand; its message names the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What ``per`` units cost."""

    price_usd: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()
    """(threshold, price), highest first: with more input tokens than the threshold, *all* units cost this."""
    per: int
    exact: bool
    """Whether the price is for this very unit, not for a wider one (any cache write instead of an hour's)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """What else than the model decides on the price; "" is the standard."""

    service_tier: str = ""
    batch: bool = False
    speed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    rule: str
    by_unit: Mapping[Unit, Rate]
    unpriced_selectors: tuple[str, ...]
    """Names of ``Selectors`` that were asked for and that the book does not know for this model: it then gives the standard price."""


class Catalog:
    """The bundled book.  Constructed once: reading it takes a quarter of a second."""

    def __init__(self) -> None:
        self.version = f"genai-prices {metadata.version('genai-prices')} sha256:{_digest()[:16]}"
        self._by_id = {provider.id: provider for provider in book_providers}

    @staticmethod
    def knows_provider(provider: str) -> bool:
        return provider in _PROVIDERS

    def rates(self, provider: str, model: str, *, at_ns: int, selectors: Selectors) -> Rates | None:
        """The prices of ``model`` at that time, None where the book does not have it.  Not for the hot path: some 0.1 ms."""
        found = self._by_id.get(_PROVIDERS.get(provider, ""))
        if found is None or not model or len(model) > MAX_MODEL_LENGTH:
            return None
        info = found.find_model(_name(found.id, model), all_providers=book_providers)
        if info is None:
            return None
        at = datetime.fromtimestamp(at_ns / 1e9, UTC)
        # Variants belong to the provider that lists them: Azure's flex price is not OpenAI's.
        own = any(info is one for one in found.models)
        wanted = _context(selectors)
        context, missing = _known(info, at, wanted) if own else ({}, tuple(wanted))
        prices = info.get_prices(at, context or None)
        return Rates(
            rule=" ".join((f"{found.id}/{info.id}", *(f"{key}={value}" for key, value in context.items()))),
            by_unit=_by_unit(info, prices),
            unpriced_selectors=missing,
        )


def _name(provider_id: str, model: str) -> str:
    """Google writes resource names: ``models/gemini-…``, ``google/gemini-…``, ``publishers/anthropic/models/claude-…``."""
    model = model.lower()
    return model.rpartition("/")[2] if provider_id == "google" else model


def _context(selectors: Selectors) -> dict[str, str]:
    """In the book's words."""
    context = {}
    if selectors.service_tier:
        context["service_tier"] = selectors.service_tier
    if selectors.batch:
        context["processing"] = "batch"
    if selectors.speed:
        context["speed"] = selectors.speed
    return context


def _known(info: ModelInfo, at: datetime, wanted: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The part of ``wanted`` that a variant of this model has a price for today, and the names of the rest."""
    usable = {
        key
        for variant in info.price_variants or ()
        if (variant.constraint is None or variant.constraint.active(at))
        and all(wanted.get(name) == value for name, value in variant.when.items())
        for key in variant.when
    }
    return {key: value for key, value in wanted.items() if key in usable}, tuple(
        key for key in wanted if key not in usable
    )


def _by_unit(info: ModelInfo, prices: ModelPrice) -> Mapping[Unit, Rate]:
    priced: list[tuple[Mapping[str, str], Rate]] = []
    for key, price in vars(prices).items():
        if price is None:
            continue
        unit = _UNITS_BY_PRICE_KEY.get(key)
        if unit is None:
            raise PriceBookError(f"{info.id}: no unit for {key}")
        priced.append((unit["dimensions"], _rate(info, price, unit["per"])))
    found: dict[Unit, Rate] = {}
    for unit_name, dimensions in _DIMENSIONS.items():
        fitting = [(len(own), own, rate) for own, rate in priced if own.items() <= dimensions.items()]
        if fitting:
            _, own, rate = max(fitting, key=lambda fit: fit[0])
            found[unit_name] = Rate(
                price_usd=rate.price_usd, tiers=rate.tiers, per=rate.per, exact=len(own) == len(dimensions)
            )
    return found


def _rate(info: ModelInfo, price: object, per: int) -> Rate:
    if isinstance(price, TieredPrices):
        base, tiers = price.base, tuple((tier.start, tier.price) for tier in reversed(price.tiers))
    elif isinstance(price, Decimal):
        base, tiers = price, ()
    else:
        raise PriceBookError(f"{info.id}: a price that is no number")
    if not all(amount.is_finite() and amount >= 0 for amount in (base, *(amount for _, amount in tiers))):
        raise PriceBookError(f"{info.id}: a price below 0")
    return Rate(price_usd=base, tiers=tiers, per=per, exact=True)


_UNITS_BY_PRICE_KEY = {unit["price_key"]: unit for unit in unit_data.values()}


def _digest() -> str:
    """Over the tables as installed, so that equal hashes mean equal prices."""
    digest = hashlib.sha256()
    for name in ("data.py", "data_units.py"):
        digest.update((resources.files("genai_prices") / name).read_bytes())
    return digest.hexdigest()
