"""
What the demo's models cost, written by hand from the providers' public lists of November 2025 (US dollars per million tokens).

On purpose not taken from the price book that the agent uses: the demo compares the two.  A test says when they part.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Per million tokens."""

    input: Decimal
    cache_read: Decimal = Decimal(0)
    cache_write: Decimal = Decimal(0)
    cache_write_1h: Decimal = Decimal(0)
    output: Decimal = Decimal(0)


def _openai(fresh: str, cached: str, output: str) -> Price:
    return Price(input=Decimal(fresh), cache_read=Decimal(cached), output=Decimal(output))


def _anthropic(fresh: str, output: str) -> Price:
    """Cache writes cost 1.25 (five minutes) and 2 times the input price, reads a tenth."""
    base = Decimal(fresh)
    return Price(
        input=base,
        cache_read=base / 10,
        cache_write=base * 5 / 4,
        cache_write_1h=base * 2,
        output=Decimal(output),
    )


PRICES: dict[str, Price] = {
    # https://platform.openai.com/docs/pricing
    "gpt-4o-mini-2024-07-18": _openai("0.15", "0.075", "0.60"),
    "gpt-4.1-2025-04-14": _openai("2.00", "0.50", "8.00"),
    "gpt-5-mini-2025-08-07": _openai("0.25", "0.025", "2.00"),
    "text-embedding-3-small": Price(input=Decimal("0.02")),
    # https://docs.claude.com/en/docs/about-claude/pricing
    "claude-sonnet-4-6": _anthropic("3.00", "15.00"),
    "claude-haiku-4-5-20251001": _anthropic("1.00", "5.00"),
    # https://ai.google.dev/gemini-api/docs/pricing, prompts up to 200,000 tokens
    "gemini-2.5-flash": _openai("0.30", "0.03", "2.50"),
    "gemini-2.5-pro": _openai("1.25", "0.125", "10.00"),
}
