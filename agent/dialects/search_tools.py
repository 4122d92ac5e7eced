"""
Tools that search and fetch for agents, and bill by the credit or the call: Tavily, Serper, Exa, Firecrawl.

Reference: https://docs.tavily.com/documentation/api-credits, https://docs.exa.ai, https://docs.firecrawl.dev/api-reference
Exa says what a call costs in dollars; the others in credits, Tavily only when asked (``include_usage``), Serper in some plans.
"""

from __future__ import annotations

from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, get, seconds, usd, word
from agent.model import RequestHead


class _Search(Reader):
    operation: ClassVar[str] = "execute_tool"

    def _ask(self, asked: Json) -> None:
        """The path names what is asked for, the body how deep: both decide the credits."""
        self.variant = word(asked.get("search_depth")) or word(asked.get("extract_depth")) or word(asked.get("type"))

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.requested_model = request.path.rstrip("/").rpartition("/")[2][:64]


class Tavily(_Search):
    api: ClassVar[str] = "tavily/search"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.host == "api.tavily.com"

    def _take(self, answer: Json) -> None:
        self.response_id = word(answer.get("request_id"))
        self._count(credits=seconds(get(answer, "usage", "credits")))


class Serper(_Search):
    api: ClassVar[str] = "serper/search"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.host in ("google.serper.dev", "scrape.serper.dev")

    def _take(self, answer: Json) -> None:
        self._count(credits=seconds(answer.get("credits")))


class Exa(_Search):
    api: ClassVar[str] = "exa/search"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.host == "api.exa.ai"

    def _take(self, answer: Json) -> None:
        self.response_id = word(answer.get("requestId")) or self.response_id
        stated = usd(get(answer, "costDollars", "total"))
        self.cost = self.cost if stated is None else stated


class Firecrawl(_Search):
    api: ClassVar[str] = "firecrawl/scrape"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.host == "api.firecrawl.dev"

    def _take(self, answer: Json) -> None:
        stated = seconds(answer.get("creditsUsed"))
        self.response_id = word(answer.get("id"))
        self._count(credits=seconds(get(answer, "data", "metadata", "creditsUsed")) if stated is None else stated)
