"""
Gemini's embeddings: ``:embedContent`` and ``:batchEmbedContents``, also on Vertex AI.

Reference: https://ai.google.dev/api/embeddings
Input only.  Older models state nothing.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.gemini_generate import modality
from agent.dialects.openai_usage import part
from agent.dialects.paths import method_in_path, name_in_path
from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, last_object, mapping
from agent.model import RequestHead

_PATH = re.compile(r"/models/([^/:%]+)(?::|%3A)(embedContent|batchEmbedContents)$")
_DETAILS = ("promptTokensDetails", "promptTokenDetails")


class GeminiEmbed(Reader):
    api: ClassVar[str] = "gemini/embedContent"
    operation: ClassVar[str] = "embeddings"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return method_in_path(_PATH, request) == "embedContent"

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.requested_model = name_in_path(_PATH, request)

    def _take(self, answer: Json) -> None:
        self._take_usage(mapping(answer.get("usageMetadata")))

    def _take_part(self, body: bytes) -> None:
        self._take_usage(last_object(body, b"usageMetadata"))

    def _take_usage(self, usage: Json) -> None:
        taken = count(usage.get("promptTokenCount"))
        taken = count(usage.get("totalTokenCount")) if taken is None else taken
        self._count(
            input_tokens=taken,
            image_input_tokens=part(modality(usage, "IMAGE", _DETAILS), taken, "modality_exceeds_input", self.remarks),
            audio_input_tokens=part(modality(usage, "AUDIO", _DETAILS), taken, "modality_exceeds_input", self.remarks),
            video_input_tokens=part(modality(usage, "VIDEO", _DETAILS), taken, "modality_exceeds_input", self.remarks),
            characters=count(get(usage, "billableCharacterCount")),
        )


class GeminiBatchEmbed(GeminiEmbed):
    api: ClassVar[str] = "gemini/batchEmbedContents"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return method_in_path(_PATH, request) == "batchEmbedContents"
