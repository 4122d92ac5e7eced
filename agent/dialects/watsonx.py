"""
IBM watsonx: ``POST /ml/v1/text/generation`` and ``…/generation_stream`` (in the beta: ``/ml/v1-beta/generation/text`` and ``…/text_stream``),
and ``/ml/v1/text/embeddings``.

Reference: https://cloud.ibm.com/apidocs/watsonx-ai#text-generation
A stream states the input with its first event and 0 in the others; the output grows from event to event.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, items, word
from agent.model import RequestHead, StreamItem

_PATH = re.compile(r"/ml/v1[^/]*/(?:deployments/([^/]+)/)?(?:text/generation(?:_stream)?|generation/text(?:_stream)?)$")
_UNFINISHED = "not_finished"


class WatsonxGeneration(Reader):
    api: ClassVar[str] = "watsonx/generation"
    operation: ClassVar[str] = "text_completion"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and _PATH.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        found = _PATH.search(request.path)
        self._deployment = found[1] or "" if found else ""
        self._last = b""

    def _ask(self, asked: Json) -> None:
        self.requested_model = word(asked.get("model_id")) or self._deployment

    def item(self, item: StreamItem) -> None:
        # The first event has the input, the last one the output; those between are not parsed.
        if self._answered and b'"not_finished"' in item.data:
            self._last = item.data
        else:
            super().item(item)
            self._last = b""

    def _take(self, answer: Json) -> None:
        self.served_model = word(answer.get("model_id")) or self.served_model
        results = items(answer.get("results"))
        taken = [found for one in results if (found := count(get(one, "input_token_count"))) is not None]
        made = [found for one in results if (found := count(get(one, "generated_token_count"))) is not None]
        reason = word(get(results[0], "stop_reason")) if results else ""
        self._count(
            input_tokens=max(sum(taken), self.usage.input_tokens or 0) or None,
            output_tokens=sum(made) if made else None,
        )
        if reason and reason != _UNFINISHED:
            self.finish_reason = reason
            # Who missed the first event does not know the input.
            self.final = self.usage.input_tokens is not None

    def _end(self, *, complete: bool) -> None:
        if self._last:
            super().item(StreamItem("", self._last))


class WatsonxEmbeddings(Reader):
    api: ClassVar[str] = "watsonx/embeddings"
    operation: ClassVar[str] = "embeddings"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return (
            request.method == "POST" and re.search(r"/ml/v1[^/]*/text/(?:embeddings|rerank)$", request.path) is not None
        )

    def _ask(self, asked: Json) -> None:
        self.requested_model = word(asked.get("model_id"))

    def _take(self, answer: Json) -> None:
        self.served_model = word(answer.get("model_id"))
        self._count(input_tokens=count(answer.get("input_token_count")))
