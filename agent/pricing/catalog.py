"""
The price book: the only file that knows genai-prices.

It has dated prices and is never updated over the network here.  What it raises on odd usage becomes a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib import metadata, resources

from genai_prices import Usage as PricedUsage
from genai_prices import types
from genai_prices.data_snapshot import get_snapshot

# gen_ai.provider.name → the library's provider.  What is missing here is unpriced, not guessed.
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
    "gcp.vertex_ai": "google",
    "groq": "groq",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together",
    "voyage": "voyageai",
    "x_ai": "x-ai",
    "zai": "zai",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model of the price book."""

    provider: types.Provider
    model: types.ModelInfo

    @property
    def rule(self) -> str:
        return f"{self.provider.id}/{self.model.id}"

    def knows(self, context: Mapping[str, str]) -> bool:
        """Whether it has a price of its own for this selector, e.g. ``service_tier=priority``."""
        return any(
            all(context.get(key) == value for key, value in variant.when.items())
            for variant in self.model.price_variants or ()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    input_usd: Decimal
    output_usd: Decimal
    total_usd: Decimal


class Catalog:
    """Look-ups are remembered: a node sees few models."""

    def __init__(self) -> None:
        # Only the bundled data: a snapshot set by somebody else in this process would not be the one we hash.
        self._snapshot = get_snapshot()
        data = (resources.files("genai_prices") / "data.py").read_bytes()
        self.version = f"genai-prices {metadata.version('genai-prices')} sha256:{hashlib.sha256(data).hexdigest()[:16]}"
        self._entries: dict[tuple[str, str], Entry | None] = {}

    @staticmethod
    def knows_provider(provider: str) -> bool:
        return provider in _PROVIDERS

    def entry(self, provider: str, model: str) -> Entry | None:
        """None where the book has no such model of this provider."""
        key = (provider, model)
        if key not in self._entries:
            if len(self._entries) > 4096:
                self._entries.clear()  # model names come from pods: hostile ones must not fill the memory
            self._entries[key] = self._find(provider, model)
        return self._entries[key]

    def _find(self, provider: str, model: str) -> Entry | None:
        theirs = _PROVIDERS.get(provider)
        if theirs is None or not model:
            return None
        try:
            found_provider, found = self._snapshot.find_provider_model(model, None, theirs, None)
        except LookupError:
            return None
        return Entry(provider=found_provider, model=found)

    @staticmethod
    def amounts(entry: Entry, counts: Mapping[str, int], at: datetime, context: Mapping[str, str]) -> Amounts | None:
        """What ``counts`` cost at that time; None where the book contradicts the usage."""
        try:
            price = entry.model.calc_price(
                PricedUsage(**counts), entry.provider, genai_request_timestamp=at, price_context=context or None
            )
        except (ValueError, ArithmeticError, TypeError):
            return None
        return Amounts(input_usd=price.input_price, output_usd=price.output_price, total_usd=price.total_price)
