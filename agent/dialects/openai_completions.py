"""
The legacy completions of OpenAI: ``POST …/completions``.  Text instead of messages; everything that costs money is as in chat.

Reference: https://platform.openai.com/docs/api-reference/completions
"""

from __future__ import annotations

from typing import ClassVar

from agent.dialects.openai_chat import OpenAiChat
from agent.model import RequestHead


class OpenAiCompletions(OpenAiChat):
    api: ClassVar[str] = "openai/completions"
    operation: ClassVar[str] = "text_completion"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/completions")
