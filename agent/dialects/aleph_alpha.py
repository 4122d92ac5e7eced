"""
Aleph Alpha: ``POST /complete``, ``/embed`` and ``/semantic_embed``.

Reference: https://docs.aleph-alpha.com/api/complete/
The model is named in the body, or in the query by older clients.
"""

from __future__ import annotations

from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, items, word
from agent.model import RequestHead


class AlephAlphaComplete(Reader):
    api: ClassVar[str] = "alephalpha/complete"
    operation: ClassVar[str] = "text_completion"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return _asks(request, "/complete")

    def _take(self, answer: Json) -> None:
        first = next(iter(items(answer.get("completions"))), None)
        self.finish_reason = word(get(first, "finish_reason"))
        self._count(
            input_tokens=count(answer.get("num_tokens_prompt_total")),
            output_tokens=count(answer.get("num_tokens_generated")),
        )


class AlephAlphaEmbed(AlephAlphaComplete):
    api: ClassVar[str] = "alephalpha/embed"
    operation: ClassVar[str] = "embeddings"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return _asks(request, "/embed", "/semantic_embed", "/batch_semantic_embed")


def _asks(request: RequestHead, *paths: str) -> bool:
    """The paths could be anybody's."""
    return request.method == "POST" and request.path in paths and request.host.endswith("aleph-alpha.com")
