"""
llama.cpp's own API: ``POST /completion``.

Reference: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
The last event of a stream, or the whole answer, has ``tokens_evaluated`` (all of the prompt) and ``tokens_predicted``.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, word
from agent.model import RequestHead


class LlamaCppCompletion(Reader):
    api: ClassVar[str] = "llamacpp/completion"
    operation: ClassVar[str] = "text_completion"
    _shape: ClassVar[frozenset[str]] = frozenset({"tokens_predicted", "stop", "error"})
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"stop":\s*true|"error"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path == "/completion"

    def _take(self, answer: Json) -> None:
        self.served_model = word(answer.get("model")) or self.served_model
        if answer.get("stop") is False:
            return
        self.finish_reason = word(answer.get("stop_type"))
        self.final = answer.get("stop") is True
        self._count(
            input_tokens=count(answer.get("tokens_evaluated")), output_tokens=count(answer.get("tokens_predicted"))
        )
