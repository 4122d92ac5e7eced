"""
The base prices: the only file that knows ``genai-prices``.

It reads the library's tables, bundled or of a newer file, and its rules for models, dates, tiers and variants, and gives them out as
``Rates``.  Nothing global of the library is used but its table of units: no snapshot, no look-up caches (they grow with every model
name that a pod invents), no updates from the network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib import metadata, resources

import genai_prices.types as book_types
from genai_prices.data import providers as bundled_providers
from genai_prices.data_units import unit_data
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

from agent.pricing.leaves import TokenType
from agent.pricing.rates import MAX_MODEL_LENGTH, PriceBookError, Rate, Rates, Selector, Selectors
from agent.pricing.units import Measure, Unit

# gen_ai.provider.name → the book's provider.  What is missing here is not in the book, and not guessed.
PROVIDERS = {
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "elevenlabs": "elevenlabs",
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

# Which of the book's dimensions a unit of ours has.  It costs the most specific price whose dimensions it fulfils.
_TOKENS_IN = {"family": "tokens", "direction": "input"}
_TOKENS_OUT = {"family": "tokens", "direction": "output"}
_DIMENSIONS: Mapping[Unit, Mapping[str, str]] = {
    TokenType.INPUT: _TOKENS_IN,
    TokenType.CACHE_READ: _TOKENS_IN | {"token_type": "cache_read"},
    TokenType.CACHE_READ_AUDIO: _TOKENS_IN | {"token_type": "cache_read", "modality": "audio"},
    TokenType.CACHE_READ_IMAGE: _TOKENS_IN | {"token_type": "cache_read", "modality": "image"},
    TokenType.CACHE_WRITE: _TOKENS_IN | {"token_type": "cache_write"},
    TokenType.CACHE_WRITE_1H: _TOKENS_IN | {"token_type": "cache_write", "cache_ttl": "1h"},
    TokenType.CACHE_WRITE_12H: _TOKENS_IN | {"token_type": "cache_write", "cache_ttl": "12h"},
    TokenType.TOOL_USE: _TOKENS_IN | {"token_type": "tool"},
    TokenType.INPUT_AUDIO: _TOKENS_IN | {"modality": "audio"},
    TokenType.INPUT_IMAGE: _TOKENS_IN | {"modality": "image"},
    TokenType.INPUT_VIDEO: _TOKENS_IN | {"modality": "video"},
    TokenType.OUTPUT: _TOKENS_OUT,
    TokenType.REASONING: _TOKENS_OUT | {"token_type": "reasoning"},
    TokenType.OUTPUT_AUDIO: _TOKENS_OUT | {"modality": "audio"},
    TokenType.OUTPUT_IMAGE: _TOKENS_OUT | {"modality": "image"},
    Measure.WEB_SEARCH: {"family": "tool_calls", "tool_type": "web_search"},
    Measure.SOCIAL_SEARCH: {"family": "tool_calls", "tool_type": "social_search"},
    Measure.STORAGE_SEARCH: {"family": "tool_calls", "tool_type": "storage_search"},
    Measure.CODE_EXECUTION: {"family": "tool_calls", "tool_type": "code_execution"},
    Measure.REQUEST: {"family": "requests"},
    Measure.AUDIO_SECOND: {"family": "durations", "modality": "audio", "direction": "input"},
    Measure.OUTPUT_AUDIO_SECOND: {"family": "durations", "modality": "audio", "direction": "output"},
    Measure.CHARACTER: {"family": "characters", "direction": "input"},
    Measure.PAGE: {"family": "document_pages", "direction": "input"},
    Measure.ANNOTATED_PAGE: {"family": "document_pages", "direction": "input", "page_type": "annotated"},
    Measure.SEARCH_UNIT: {"family": "rerank"},
}

# When PyPI took the version that pyproject.toml pins: the package itself bears no date.  Another version's is not known.
_PUBLISHED = {"0.2.3": datetime(2026, 11, 10, 21, 51, 41, tzinfo=UTC)}


class Catalog:
    """One edition of the book.  Constructed once: reading it takes a quarter of a second."""

    def __init__(self, providers: list[Provider] | None = None, *, edition: str = "", digest: str = "") -> None:
        """Without arguments: the tables that came with the library."""
        self._providers = bundled_providers if providers is None else providers
        self.edition = edition or f"genai-prices {metadata.version('genai-prices')}"
        self.digest = digest or _bundled_digest()
        self.published = _PUBLISHED.get(metadata.version("genai-prices")) if providers is None else None
        """None where it is not known: a file of tables has no date in it."""
        self._by_id = {provider.id: provider for provider in self._providers}

    @classmethod
    def parse(cls, data: bytes) -> Catalog:
        """The library's own JSON (``prices/new_data/v2/data.json`` of its repository); refused as a whole when it is not."""
        try:
            providers = book_types._providers_from_raw(_provider_list(data))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            first = str(error).partition("\n")[0]
            raise PriceBookError(f"no tables of genai-prices ({type(error).__name__}: {first[:200]})") from None
        if not providers:
            raise PriceBookError("no tables of genai-prices (it holds no provider)")
        digest = hashlib.sha256(data).hexdigest()
        catalog = cls(providers, edition=f"genai-prices file {digest[:8]}", digest=digest)
        catalog._check()
        return catalog

    @staticmethod
    def knows_provider(provider: str) -> bool:
        return provider in PROVIDERS

    def models(self, provider: str) -> Iterator[str]:
        """Ids of all models of a provider of ours; some stand for many names on the wire."""
        found = self._by_id.get(PROVIDERS.get(provider, ""))
        return iter(() if found is None else [model.id for model in found.models])

    def rates(self, provider: str, model: str, *, at_ns: int, selectors: Selectors) -> Rates | None:
        """The prices of ``model`` at that time, None where the book does not have it.  Not for the hot path: some 0.1 ms."""
        found = self._by_id.get(PROVIDERS.get(provider, ""))
        if found is None or not model or len(model) > MAX_MODEL_LENGTH:
            return None
        info = found.find_model(_name(found.id, model), all_providers=self._providers)
        if info is None:
            return None
        at = datetime.fromtimestamp(at_ns / 1e9, UTC)
        # Variants belong to the provider that lists them: Azure's flex price is not OpenAI's.
        own = any(info is one for one in found.models)
        wanted = {selector: selectors[selector] for selector in _VARIANTS if selector in selectors}
        context = _known(info, at, wanted) if own else {}
        prices = info.get_prices(at, {key.value: value for key, value in context.items()} or None)
        priced = frozenset(context)
        return Rates(
            rule=" ".join((f"{found.id}/{info.id}", *(f"{key}={value}" for key, value in context.items()))),
            by_unit=_by_unit(info, prices),
            priced=priced,
            unpriced=frozenset(selectors) - priced,
        )

    def _check(self) -> None:
        """A file from outside is read in full before it prices anything."""
        for provider in self._providers:
            for model in provider.models:
                if isinstance(model.prices, ModelPrice):
                    _by_unit(model, model.prices)
                else:
                    for dated in model.prices:
                        _by_unit(model, dated.prices)
                for variant in model.price_variants or ():
                    _by_unit(model, variant.prices)


# What the book's variants can speak of, in its own words, which are ours.
_VARIANTS = (Selector.SERVICE_TIER, Selector.PROCESSING, Selector.SPEED)


def _provider_list(data: bytes) -> object:
    raw = json.loads(data, parse_float=Decimal)
    if not isinstance(raw, list):
        raise TypeError("not a list of providers")
    return raw


def _name(provider_id: str, model: str) -> str:
    """Google writes resource names: ``models/gemini-…``, ``google/gemini-…``, ``publishers/anthropic/models/claude-…``."""
    model = model.lower()
    return model.rpartition("/")[2] if provider_id == "google" else model


def _known(info: ModelInfo, at: datetime, wanted: Mapping[Selector, str]) -> dict[Selector, str]:
    """The part of ``wanted`` that a variant of this model has a price for today."""
    in_words = {key.value: value for key, value in wanted.items()}
    usable = {
        key
        for variant in info.price_variants or ()
        if (variant.constraint is None or variant.constraint.active(at))
        and all(in_words.get(name) == value for name, value in variant.when.items())
        for key in variant.when
    }
    return {key: value for key, value in wanted.items() if key.value in usable}


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
    # Not every model tells input from output sound.
    for wide, narrow in ((Measure.OUTPUT_AUDIO_SECOND, Measure.AUDIO_SECOND),):
        if wide in found and narrow not in found:
            found[narrow] = found[wide]
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
    return Rate(price_usd=base, tiers=tiers, per=per)


_UNITS_BY_PRICE_KEY = {unit["price_key"]: unit for unit in unit_data.values()}


def _bundled_digest() -> str:
    """Over the tables as installed, so that equal hashes mean equal prices."""
    digest = hashlib.sha256()
    for name in ("data.py", "data_units.py"):
        digest.update((resources.files("genai_prices") / name).read_bytes())
    return digest.hexdigest()
