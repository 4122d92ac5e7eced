"""What a call costs, or why that is not known."""

from __future__ import annotations

from agent.pricing.book import PriceBook
from agent.pricing.engine import Pricer, recompute

__all__ = ["PriceBook", "Pricer", "recompute"]
