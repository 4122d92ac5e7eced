"""
The wire APIs we understand.  Order matters: the first dialect that accepts a request reads it.

To add one: write ``agent/dialects/<name>.py``, list it here, and drop recorded traffic into ``tests/golden/<name>/``.
Nothing else changes.
"""

from __future__ import annotations

from agent.dialects.anthropic_messages import AnthropicMessages
from agent.dialects.base import Dialect
from agent.dialects.gemini_generate import GeminiGenerate, GeminiStream
from agent.dialects.openai_chat import OpenAiChat
from agent.dialects.openai_completions import OpenAiCompletions
from agent.dialects.openai_embeddings import OpenAiEmbeddings
from agent.dialects.openai_responses import OpenAiResponses

DIALECTS: tuple[type[Dialect], ...] = (
    OpenAiChat,
    OpenAiCompletions,
    OpenAiResponses,
    OpenAiEmbeddings,
    AnthropicMessages,
    GeminiGenerate,
    GeminiStream,
)
