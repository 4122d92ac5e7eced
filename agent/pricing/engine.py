"""
One call → what it costs, or why that is not known.

Order: a cost in the response wins over tables; the served model before the requested one; the served tier, not the one asked for.
Odd usage is cut to fit and marked.  A price that is not known is ``Unpriced``, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from agent.model import Call, Cost, CostLine, CostSource, Evidence, Reading, Unpriced, Usage
from agent.pricing.catalog import Amounts, Catalog, Entry
from agent.pricing.leaves import TokenType, disjoint

_STANDARD_TIERS = frozenset({"", "default", "standard", "standard_only", "auto", "on_demand"})
# Vertex's words for tiers that others sell too.
_TIERS = {"on_demand_priority": "priority", "on_demand_flex": "flex"}
# Anthropic's surcharge for inference kept in one place is not in the price book.
_SURCHARGED_GEOS = frozenset({"us"})
# The book counts searches by these names.
_SEARCHES = {
    "web_search": "web_searches",
    "web_search_call": "web_searches",
    "file_search_call": "storage_searches",
}
_MODALITIES = (
    "audio_input_tokens",
    "audio_output_tokens",
    "image_input_tokens",
    "image_output_tokens",
    "video_input_tokens",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A usage with its model, priced."""

    amounts: Amounts
    rule: str
    remarks: tuple[str, ...]


class Pricer:
    """Built once; ``price`` is pure but for what it remembers."""

    def __init__(self, catalog: Catalog | None = None) -> None:
        self._catalog = catalog or Catalog()

    @property
    def price_book(self) -> str:
        """Version and hash, kept with every cost."""
        return self._catalog.version

    def price(self, call: Call) -> Cost | Unpriced:
        reading = call.reading
        if reading.reported_cost_usd is not None and reading.evidence is not Evidence.NOT_APPLICABLE:
            return _reported(reading)
        if reading.evidence is Evidence.NOT_APPLICABLE:
            return Unpriced(reason="not_billed")
        if reading.usage.input_tokens is None and reading.usage.output_tokens is None:
            return Unpriced(reason="no_usage")
        if not self._catalog.knows_provider(call.provider):
            return Unpriced(reason="unknown_provider")
        entry = self._entry(call.provider, reading.served_model, reading.requested_model)
        if entry is None:
            return Unpriced(reason="unknown_model")
        at = datetime.fromtimestamp(call.ended_at_ns // 10**9, UTC)
        part = self._part(entry, reading.usage, reading, at)
        if part is None:
            return Unpriced(reason="price_book_error")
        lines = list(_lines(part.amounts, reading.usage))
        total = part.amounts.total_usd
        remarks = [*part.remarks, *reading.remarks]
        for extra in reading.extra_usage:
            other = self._entry(call.provider, extra.model, "") if extra.model else entry
            priced = self._part(other, extra.usage, reading, at) if other else None
            if priced is None:
                remarks.append("extra_unpriced")
                continue
            total += priced.amounts.total_usd
            lines += _lines(priced.amounts, extra.usage, prefix=f"{extra.kind} ")
        return Cost(
            total_usd=total,
            lines=tuple(lines),
            source=CostSource.PRICE_BOOK,
            rule=part.rule,
            price_book=self._catalog.version,
            remarks=tuple(dict.fromkeys(remarks)),
        )

    def _entry(self, provider: str, *models: str) -> Entry | None:
        return next((entry for model in models if (entry := self._catalog.entry(provider, model))), None)

    def _part(self, entry: Entry, usage: Usage, reading: Reading, at: datetime) -> _Part | None:
        context, remarks = _context(entry, reading)
        counts = _counts(usage, reading)
        amounts = self._catalog.amounts(entry, counts, at, context)
        if amounts is None:
            # The book can't split what it was not told to split (e.g. cached audio): price the whole at the text rate, and say so.
            for name in [name for name in counts if "audio" in name or "image" in name or "video" in name]:
                del counts[name]
            amounts = self._catalog.amounts(entry, counts, at, context)
            remarks = (*remarks, "modality_not_priced")
        if amounts is None:
            return None
        selectors = "".join(f" {key}={value}" for key, value in context.items())
        return _Part(amounts=amounts, rule=entry.rule + selectors, remarks=remarks)


def _reported(reading: Reading) -> Cost:
    assert reading.reported_cost_usd is not None
    return Cost(
        total_usd=reading.reported_cost_usd,
        lines=(CostLine(unit="reported", quantity=Decimal(1), amount_usd=reading.reported_cost_usd),),
        source=CostSource.PROVIDER,
        rule="reported in the response",
        price_book="",
        remarks=reading.remarks,
    )


def _context(entry: Entry, reading: Reading) -> tuple[dict[str, str], tuple[str, ...]]:
    """The book's selectors for the served tier; what it has no price for is marked, because standard rates are then wrong."""
    context: dict[str, str] = {}
    remarks = []
    tier = reading.service_tier.lower()
    tier = _TIERS.get(tier, tier)
    if tier == "batch":
        context["processing"] = "batch"
    elif tier not in _STANDARD_TIERS:
        context["service_tier"] = tier
    if context and not entry.knows(context):
        context = {}
        remarks.append("tier_not_priced")
    if reading.speed == "fast":
        if entry.knows({"speed": "fast"}):
            context["speed"] = "fast"
        else:
            remarks.append("tier_not_priced")
    if reading.inference_geo in _SURCHARGED_GEOS:
        remarks.append("geo_not_priced")
    return context, tuple(remarks)


def _counts(usage: Usage, reading: Reading) -> dict[str, int]:
    """In the book's words; parts are cut to fit their whole first, because it raises on contradictions."""
    types = disjoint(usage)
    written_1h = types.get(TokenType.CACHE_WRITE_1H, 0)
    written = types.get(TokenType.CACHE_WRITE, 0) + written_1h
    counts = {
        "input_tokens": usage.input_tokens or 0,
        "output_tokens": usage.output_tokens or 0,
        "cache_read_tokens": types.get(TokenType.CACHE_READ, 0),
        "cache_write_tokens": written,
        "cache_write_1h_tokens": written_1h,
        "output_reasoning_tokens": types.get(TokenType.REASONING, 0),
    }
    for name in _MODALITIES:
        tokens = getattr(usage, name)
        if tokens:
            modality, direction, _ = name.split("_")
            counts[f"{direction}_{modality}_tokens"] = min(tokens, counts[f"{direction}_tokens"])
    for name, number in reading.server_tool_calls.items():
        if name in _SEARCHES:
            counts[_SEARCHES[name]] = number
    return {name: tokens for name, tokens in counts.items() if tokens}


def _lines(amounts: Amounts, usage: Usage, prefix: str = "") -> list[CostLine]:
    lines = [
        CostLine(unit=f"{prefix}input", quantity=Decimal(usage.input_tokens or 0), amount_usd=amounts.input_usd),
        CostLine(unit=f"{prefix}output", quantity=Decimal(usage.output_tokens or 0), amount_usd=amounts.output_usd),
    ]
    rest = amounts.total_usd - amounts.input_usd - amounts.output_usd
    if rest:
        lines.append(CostLine(unit=f"{prefix}requests", quantity=Decimal(1), amount_usd=rest))
    return [line for line in lines if line.quantity or line.amount_usd]
