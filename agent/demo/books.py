"""
The fake provider's books: one line per answer it gave, with what that answer costs by the published price.

They are the demo's truth, so they share no code with the pipeline that they judge: amounts come from the answer that was made up,
prices from the list in ``agent.demo.prices``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path

from agent.demo.prices import PRICES


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What one answer used, in parts that do not overlap."""

    input: int = 0
    """Neither read from nor written to a cache."""
    cache_read: int = 0
    cache_write: int = 0
    """Kept for five minutes."""
    cache_write_1h: int = 0
    output: int = 0
    """Without reasoning."""
    reasoning: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Tokens)})

    @property
    def all_input(self) -> int:
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h

    @property
    def all_output(self) -> int:
        return self.output + self.reasoning


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One answer."""

    client: str
    """Who called: what follows ``sk-demo-`` in the API key, which every SDK sends anyway."""
    provider: str
    api: str
    model: str
    """As named in the answer; "" in errors."""
    status: int
    streaming: bool
    tokens: Tokens | None
    """None: the answer does not say, as in a chat stream without ``include_usage``, or there was nothing to use."""
    cost_usd: Decimal | None
    """None: nobody can know, or nothing was billed."""
    protocol: str = ""
    """What the client spoke: a client that falls back to an older one proves nothing about the newer."""


def cost_usd(model: str, tokens: Tokens) -> Decimal | None:
    """By the published price per million tokens; None for a model that is on no list."""
    price = PRICES.get(model)
    if price is None:
        return None
    millions = (
        tokens.input * price.input
        + tokens.cache_read * price.cache_read
        + tokens.cache_write * price.cache_write
        + tokens.cache_write_1h * price.cache_write_1h
        + tokens.all_output * price.output
    )
    return millions / 1_000_000


def to_line(served: Served) -> str:
    row = asdict(served)
    row["cost_usd"] = None if served.cost_usd is None else str(served.cost_usd)
    return json.dumps(row) + "\n"


def read(path: Path) -> list[Served]:
    with path.open(encoding="utf-8") as lines:
        return list(_rows(lines))


def _rows(lines: Iterable[str]) -> Iterable[Served]:
    for line in lines:
        row = json.loads(line)
        tokens, cost = row.pop("tokens"), row.pop("cost_usd")
        yield Served(
            **row,
            tokens=None if tokens is None else Tokens(**tokens),
            cost_usd=None if cost is None else Decimal(cost),
        )
