"""
How far two independent price lists agree: the base book, and a filtered copy of LiteLLM's map (``second/``), which prices nothing.

Compared are list prices of one moment, field by field: input, output, cached input, cache writes, of models that are billed by the
token.  Agreement is no proof of truth, but two lists that were kept by different people and say the same are rarely both wrong.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib import resources
from typing import NamedTuple

from agent.pricing.catalog import Catalog
from agent.pricing.leaves import TokenType
from agent.pricing.rates import PriceBookError, Rate, Rates

# Theirs → ours, and what stands before the model's name there.
_PROVIDERS: Mapping[str, tuple[str, str]] = {
    "openai": ("openai", ""),
    "text-completion-openai": ("openai", ""),
    "anthropic": ("anthropic", ""),
    "gemini": ("gcp.gemini", "gemini/"),
    "vertex_ai": ("gcp.vertex_ai", "vertex_ai/"),
    "vertex_ai-language-models": ("gcp.vertex_ai", "vertex_ai/"),
    "vertex_ai-anthropic_models": ("gcp.vertex_ai", "vertex_ai/"),
    "bedrock": ("aws.bedrock", ""),
    "bedrock_converse": ("aws.bedrock", ""),
    "azure": ("azure.ai.openai", "azure/"),
    "mistral": ("mistral_ai", "mistral/"),
    "cohere": ("cohere", ""),
    "cohere_chat": ("cohere", ""),
    "deepseek": ("deepseek", "deepseek/"),
    "groq": ("groq", "groq/"),
    "xai": ("x_ai", "xai/"),
    "together_ai": ("together", "together_ai/"),
    "fireworks_ai": ("fireworks", "fireworks_ai/"),
    "perplexity": ("perplexity", "perplexity/"),
    "cerebras": ("cerebras", "cerebras/"),
    "voyage": ("voyage", "voyage/"),
    "moonshot": ("moonshot_ai", "moonshot/"),
    "minimax": ("minimax", "minimax/"),
    "zai": ("zai", "zai/"),
    "novita": ("novita", "novita/"),
    "openrouter": ("openrouter", "openrouter/"),
}
_FIELDS: Mapping[TokenType, str] = {
    TokenType.INPUT: "input_cost_per_token",
    TokenType.OUTPUT: "output_cost_per_token",
    TokenType.CACHE_READ: "cache_read_input_token_cost",
    TokenType.CACHE_WRITE: "cache_creation_input_token_cost",
    TokenType.CACHE_WRITE_1H: "cache_creation_input_token_cost_above_1hr",
}
_MODES = frozenset({"chat", "completion", "responses", "embedding"})
# Lists round their figures.
_TOLERANCE = Decimal("0.001")
# Regional lists of Azure and Bedrock stand under paths there; we take the multiplier, they a name.
_SKIPPED = (
    "azure/us/",
    "azure/eu/",
    "azure/global/",
    "azure/global-standard/",
    "bedrock/",
    "bedrock_mantle/",
    "us-gov.",
)
_MILLION = 10**6


class Verdict(NamedTuple):
    provider: str
    model: str
    outcome: str
    """``agree``, ``differ`` or ``missing`` (from the base book)."""
    differences: tuple[str, ...]
    """``input 3 ≠ 2.5`` …, dollars per million, ours first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    agree: int = 0
    differ: int = 0
    missing: int = 0

    @property
    def share(self) -> Decimal:
        """Of the models that both have."""
        both = self.agree + self.differ
        return Decimal(self.agree) / both if both else Decimal(1)


def second_opinion() -> bytes:
    """The copy that came with podtab."""
    return (resources.files("agent.pricing") / "second" / "litellm.json").read_bytes()


def recorded_level() -> Mapping[str, Decimal]:
    """Provider → the least share of models on which both lists agreed when the lists were last changed."""
    text = (resources.files("agent.pricing") / "second" / "agreement.toml").read_text(encoding="utf-8")
    return {name: Decimal(str(share)) for name, share in tomllib.loads(text, parse_float=Decimal)["least"].items()}


def compare(data: bytes, catalog: Catalog, *, at_ns: int) -> Iterator[Verdict]:
    """One verdict for each model of ``data`` that is billed by the token at a provider that we know."""
    for name, entry in _entries(data):
        known = _PROVIDERS.get(str(entry.get("litellm_provider", "")))
        if known is None or entry.get("mode") not in _MODES or name.startswith(_SKIPPED) or "off_peak_pricing" in entry:
            continue
        theirs = {unit: amount for unit, field in _FIELDS.items() if (amount := _amount(entry.get(field))) is not None}
        if TokenType.INPUT not in theirs:
            continue
        provider, prefix = known
        model = name.removeprefix(prefix)
        try:
            rates = catalog.rates(provider, model, at_ns=at_ns, selectors={})
        except PriceBookError:
            rates = None
        if rates is None:
            yield Verdict(provider, model, "missing", ())
            continue
        differences = tuple(_differences(rates, theirs))
        yield Verdict(provider, model, "differ" if differences else "agree", differences)


def tally(verdicts: Iterator[Verdict]) -> dict[str, Tally]:
    counts: dict[str, dict[str, int]] = {}
    for verdict in verdicts:
        own = counts.setdefault(verdict.provider, {"agree": 0, "differ": 0, "missing": 0})
        own[verdict.outcome] += 1
    return {provider: Tally(**own) for provider, own in sorted(counts.items())}


def dropped(tallies: Mapping[str, Tally], level: Mapping[str, Decimal]) -> list[str]:
    """Providers whose agreement fell below the recorded level, or that are gone."""
    return sorted(name for name, least in level.items() if name not in tallies or tallies[name].share < least)


def _entries(data: bytes) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        loaded = json.loads(data, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise PriceBookError("the second opinion is not JSON") from None
    if not isinstance(loaded, dict):
        raise PriceBookError("the second opinion is no map of models")
    for name, entry in loaded.items():
        if isinstance(entry, dict):
            yield name, entry


def _amount(value: object) -> Decimal | None:
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def _differences(rates: Rates, theirs: Mapping[TokenType, Decimal]) -> Iterator[str]:
    for unit, amount in theirs.items():
        rate: Rate | None = rates.by_unit.get(unit)
        # A price that only one list has is a gap, and gaps are not counted as disagreement.
        if rate is None or (not rate.exact and unit is not TokenType.OUTPUT):
            continue
        ours = rate.price_usd / rate.per
        if abs(ours - amount) > max(ours, amount) * _TOLERANCE:
            yield f"{unit} {_plain(ours * _MILLION)} ≠ {_plain(amount * _MILLION)}"


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
