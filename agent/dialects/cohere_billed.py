"""
Cohere's other calls, whose answers all end on ``meta.billed_units``: embed, rerank, generate, classify, summarize.

Reference: https://docs.cohere.com/reference/embed, https://docs.cohere.com/reference/rerank
Rerank is billed by the search unit, pictures by their own tokens.
"""

from __future__ import annotations

from typing import ClassVar

from agent.dialects.cohere_chat import of_cohere
from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, items, last_object, mapping, word
from agent.model import RequestHead


class _CohereBilled(Reader):
    lines_are_streams: ClassVar[bool] = True

    def _take(self, answer: Json) -> None:
        self.response_id = word(answer.get("id")) or self.response_id
        first = next(iter(items(answer.get("generations"))), None)
        self.finish_reason = word(get(first, "finish_reason")) or word(answer.get("finish_reason"))
        # A stream of `generate` ends on a line that has the whole answer.
        self._bill(
            mapping(get(answer, "meta", "billed_units")) or mapping(get(answer, "response", "meta", "billed_units"))
        )

    def _take_part(self, body: bytes) -> None:
        self._bill(last_object(body, b"billed_units"))

    def _bill(self, units: Json) -> None:
        text, pictures = count(units.get("input_tokens")), count(units.get("image_tokens"))
        self._count(
            # Of a picture the text count is 0, and its own count stands beside it.
            input_tokens=None if text is None and pictures is None else (text or 0) + (pictures or 0),
            image_input_tokens=pictures,
            output_tokens=count(units.get("output_tokens")),
            search_units=count(units.get("search_units")),
        )


class CohereEmbed(_CohereBilled):
    api: ClassVar[str] = "cohere/embed"
    operation: ClassVar[str] = "embeddings"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return of_cohere(request, "/embed")


class CohereRerank(_CohereBilled):
    api: ClassVar[str] = "cohere/rerank"
    operation: ClassVar[str] = "rerank"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return of_cohere(request, "/rerank")


class CohereGenerate(_CohereBilled):
    api: ClassVar[str] = "cohere/generate"
    operation: ClassVar[str] = "text_completion"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return any(of_cohere(request, path) for path in ("/v1/generate", "/v1/classify", "/v1/summarize"))
