"""
Rerank as Voyage, Jina, Together and others answer it: ``POST …/rerank``, usage in OpenAI's words.

Reference: https://docs.voyageai.com/reference/reranker-api
Input only, in ``total_tokens``; Pinecone's hosted models bill ``rerank_units``.  Servers of one's own (vLLM, TEI, Infinity) answer alike.
"""

from __future__ import annotations

from typing import ClassVar

from agent.dialects.openai_usage import read_usage
from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, last_object, mapping, word
from agent.model import RequestHead


class Rerank(Reader):
    api: ClassVar[str] = "openai/rerank"
    operation: ClassVar[str] = "rerank"
    _shape: ClassVar[frozenset[str]] = frozenset({"usage", "results", "error"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/rerank")

    def _take(self, answer: Json) -> None:
        self.response_id = word(answer.get("id"))
        self.served_model = word(answer.get("model"))
        self._take_usage(mapping(answer.get("usage")))
        # Cohere's models elsewhere (Together, Azure's older hosts) state Cohere's units.
        self._count(search_units=count(get(answer, "meta", "billed_units", "search_units")))

    def _take_part(self, body: bytes) -> None:
        self._take_usage(last_object(body, b"usage"))

    def _take_usage(self, usage: Json) -> None:
        read = read_usage(usage, provider=self.provider, model=self.requested_model)
        self.cost = self.cost if read.reported_cost_usd is None else read.reported_cost_usd
        if read.stated:
            self._count(input_tokens=read.usage.input_tokens)
        self._count(search_units=count(usage.get("rerank_units")))
