"""What Prometheus answers to a dashboard's queries, over its HTTP API."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from charts.dashboards.queries import Query

Point = tuple[float, float]
"""Seconds since the epoch, value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    labels: Mapping[str, str]
    points: tuple[Point, ...]

    @property
    def last(self) -> float:
        """The last value that is a number."""
        return next((value for _, value in reversed(self.points) if not math.isnan(value)), math.nan)


class PrometheusError(Exception):
    """What Prometheus says is wrong with a query."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server's address, e.g. ``http://localhost:9090``."""

    address: str

    def evaluate(self, query: Query, *, at: float, seconds: float, step: float) -> list[Series]:
        """As the panel asks: an instant, or a range that ends ``at``."""
        if query.instant:
            return self._ask("query", query=query.expr, time=f"{at:.3f}")
        start = at - seconds
        return self._ask("query_range", query=query.expr, start=f"{start:.3f}", end=f"{at:.3f}", step=f"{step:.0f}")

    def _ask(self, call: str, **parameters: str) -> list[Series]:
        body = urllib.parse.urlencode(parameters).encode()
        request = urllib.request.Request(f"{self.address}/api/v1/{call}", data=body)  # noqa: S310 the caller's own address
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                data: dict[str, Any] = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise PrometheusError(f"{error.read().decode(errors='replace')} in {parameters['query']}") from error
        return [
            Series(
                labels=one["metric"],
                points=tuple((float(at), float(value)) for at, value in one.get("values", [one.get("value")])),
            )
            for one in data["result"]
        ]


def range_of(since: str, *, at: float, default: float) -> float:
    """Seconds that a panel shows: its own time range, in UTC as the dashboards say, or the dashboard's."""
    now = datetime.fromtimestamp(at, UTC)
    if since == "now/d":
        return at - now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    if since == "now/M":
        return at - now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()
    return duration(since) if since else default


def duration(text: str) -> float:
    """``6h`` → seconds."""
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]]
