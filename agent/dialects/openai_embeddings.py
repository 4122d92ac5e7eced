"""
OpenAI's embeddings: ``POST …/embeddings``.  Input only; Voyage states its total and nothing else.

Reference: https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

from typing import ClassVar

from agent.dialects.openai_chat import OpenAiChat
from agent.model import RequestHead


class OpenAiEmbeddings(OpenAiChat):
    api: ClassVar[str] = "openai/embeddings"
    operation: ClassVar[str] = "embeddings"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        # Ollama's own API has this very path, and other bodies.
        return request.method == "POST" and request.path.endswith("/embeddings") and request.path != "/api/embeddings"
