"""What a call costs, or why that is not known."""

from __future__ import annotations

from agent.pricing.engine import Pricer

__all__ = ["Pricer"]
