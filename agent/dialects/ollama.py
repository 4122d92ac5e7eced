"""
Ollama's own API: ``POST /api/chat``, ``/api/generate``, ``/api/embed`` and ``/api/embeddings``.

Reference: https://github.com/ollama/ollama/blob/main/docs/api.md
The last JSON line (``done``) has the counts.  ``prompt_eval_count`` is left out when the prompt was still in the cache: then only the
output is known, and the input is not 0.  The old ``/api/embeddings`` states nothing.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, items, word
from agent.model import RequestHead

_CHAT = frozenset({"done", "error"})
_EMBED = frozenset({"embedding", "embeddings", "error"})


class OllamaChat(Reader):
    api: ClassVar[str] = "ollama/chat"
    lines_are_streams: ClassVar[bool] = True
    # The paths are those of many an application, too.
    _shape: ClassVar[frozenset[str]] = _CHAT
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"done":\s*true|"tool_calls"|"error"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/api/chat")

    def _take(self, answer: Json) -> None:
        # `remote_model`: run in Ollama's cloud, under another name.
        self.served_model = self.served_model or word(answer.get("model"))
        for call in items(get(answer, "message", "tool_calls")):
            self._call_tool(get(call, "function", "name"))
        if answer.get("done") is not True:
            return
        self.final = True
        self.finish_reason = word(answer.get("done_reason"))
        made = count(answer.get("eval_count"))
        self._count(input_tokens=count(answer.get("prompt_eval_count")), output_tokens=made)
        if made is not None and self.usage.input_tokens is None:
            self.remarks.append("input_not_stated")


class OllamaGenerate(OllamaChat):
    api: ClassVar[str] = "ollama/generate"
    operation: ClassVar[str] = "text_completion"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/api/generate")


class OllamaEmbed(Reader):
    api: ClassVar[str] = "ollama/embed"
    operation: ClassVar[str] = "embeddings"
    _shape: ClassVar[frozenset[str]] = _EMBED

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith(("/api/embed", "/api/embeddings"))

    def _take(self, answer: Json) -> None:
        self.served_model = word(answer.get("model"))
        self._count(input_tokens=count(answer.get("prompt_eval_count")))
