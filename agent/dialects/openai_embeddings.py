"""
OpenAI's embeddings: ``POST …/embeddings``.  Input only; Voyage states its total and nothing else, also of
pictures (``/multimodalembeddings``).

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
        # Ollama's own API has one of these paths, and other bodies.
        embeds = request.path.endswith(("/embeddings", "/multimodalembeddings"))
        return request.method == "POST" and embeds and request.path != "/api/embeddings"
