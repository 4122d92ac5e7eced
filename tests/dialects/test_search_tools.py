"""Tools that search."""

from __future__ import annotations

from decimal import Decimal

from agent.model import Evidence
from tests.dialects.helpers import read


def test_tavily_states_credits_only_when_asked() -> None:
    """Absent is not free; how deep it searched decides the price."""
    got = read("/search", "api.tavily.com", asked={"search_depth": "advanced"}, answer={"results": []})
    assert (got.evidence, got.variant, got.requested_model) == (Evidence.ABSENT, "advanced", "search")
    assert read("/search", "api.tavily.com", answer={"usage": {"credits": 2}}).usage.credits == 2


def test_exa_says_what_it_costs() -> None:
    """In dollars: that wins over any table."""
    got = read("/search", "api.exa.ai", answer={"requestId": "e", "costDollars": {"total": 0.005}})
    assert (got.reported_cost_usd, got.response_id) == (Decimal("0.005"), "e")


def test_firecrawl_states_credits_in_two_places() -> None:
    """A crawl at the top, a page in its metadata."""
    for answer in ({"creditsUsed": 3}, {"data": {"metadata": {"creditsUsed": 3}}}):
        assert read("/v2/scrape", "api.firecrawl.dev", answer=answer).usage.credits == 3
