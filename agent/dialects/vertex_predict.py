"""
``:predict`` of Vertex AI and of the Gemini API: embeddings of text, and pictures of Imagen.

Reference: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
Each prediction states its own tokens; the answer's ``metadata`` states the characters that older models are billed by.  Pictures are
counted by us.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.paths import name_in_path
from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, items
from agent.model import RequestHead

# Vertex AI's, and the Gemini API's for Imagen.
_PATH = re.compile(r"(?:/publishers/google|/v1(?:beta|alpha)?)/models/([^/:]+):predict$")


class VertexPredict(Reader):
    api: ClassVar[str] = "vertex/predict"
    operation: ClassVar[str] = "embeddings"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and _PATH.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.requested_model = name_in_path(_PATH, request)

    def _take(self, answer: Json) -> None:
        predictions = items(answer.get("predictions"))
        tokens = [
            found
            for one in predictions
            if (found := count(get(one, "embeddings", "statistics", "token_count"))) is not None
        ]
        characters = count(get(answer, "metadata", "billableCharacterCount"))
        pictures = sum(isinstance(get(one, "bytesBase64Encoded"), str) for one in predictions)
        self._count(input_tokens=sum(tokens) if tokens else None, characters=characters)
        if pictures and not tokens:
            self._count(images=pictures)
            self.estimated = True
