"""
Anthropic's legacy completions: ``POST /v1/complete``.  Nothing is said about usage, streamed or not.

Reference: https://docs.anthropic.com/en/api/complete
"""

from __future__ import annotations

from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, word
from agent.model import RequestHead


class AnthropicComplete(Reader):
    api: ClassVar[str] = "anthropic/complete"
    operation: ClassVar[str] = "text_completion"
    _shape: ClassVar[frozenset[str]] = frozenset({"completion", "error"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/v1/complete")

    def _take(self, answer: Json) -> None:
        self.response_id = word(answer.get("id")) or self.response_id
        self.served_model = word(answer.get("model")) or self.served_model
        self.finish_reason = word(answer.get("stop_reason")) or self.finish_reason
