"""The site as one sink."""

from __future__ import annotations

from typing import Any

import orjson

from tests.sinks.entries import entry
from tests.sinks.web.sites import Made


def test_an_entry_is_in_the_sums_and_in_the_recent_calls() -> None:
    """Both from one accept; a deleted pod leaves the sums."""
    site = Made().site
    routes = site.routes()

    def asked(name: str) -> Any:
        return orjson.loads(routes[f"/api/v1/{name}"]({}).body)

    site.accept(entry())
    assert (len(asked("summary")["workloads"]), len(asked("calls")["calls"])) == (1, 1)
    site.forget_pod("shop", "web-1")
    assert (len(asked("summary")["workloads"]), asked("summary")["totals"]["calls"]) == (0, 1)
