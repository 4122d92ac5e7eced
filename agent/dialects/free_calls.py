"""
Calls that cost nothing: counting tokens (Anthropic, OpenAI, Gemini, Bedrock) and OpenAI's moderations.

Reference: https://docs.anthropic.com/en/api/messages-count-tokens, https://platform.openai.com/docs/api-reference/moderations
A count that was asked for is no usage, so none is stated.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.paths import name_in_path
from agent.dialects.reader import Reader
from agent.dialects.values import Json, word
from agent.model import RequestHead

_MODEL = re.compile(r"/(?:models|model|tunedModels)/([^/:]+)(?::|%3A|/)count")


class _Free(Reader):
    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.requested_model = name_in_path(_MODEL, request)
        self.free = True

    def _take(self, answer: Json) -> None:
        self.response_id = word(answer.get("id"))
        self.served_model = word(answer.get("model"))


class OpenAiModerations(_Free):
    api: ClassVar[str] = "openai/moderations"
    operation: ClassVar[str] = "moderation"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/v1/moderations")


class OpenAiInputTokens(_Free):
    api: ClassVar[str] = "openai/input_tokens"
    operation: ClassVar[str] = "count_tokens"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/responses/input_tokens")


class AnthropicCountTokens(_Free):
    api: ClassVar[str] = "anthropic/count_tokens"
    operation: ClassVar[str] = "count_tokens"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/v1/messages/count_tokens")


class GeminiCountTokens(_Free):
    api: ClassVar[str] = "gemini/countTokens"
    operation: ClassVar[str] = "count_tokens"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith((":countTokens", "%3AcountTokens"))


class BedrockCountTokens(_Free):
    api: ClassVar[str] = "bedrock/count-tokens"
    operation: ClassVar[str] = "count_tokens"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and re.search(r"/model/[^/]+/count-tokens$", request.path) is not None
