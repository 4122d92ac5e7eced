"""
Mistral's OCR: ``POST /v1/ocr``.  Billed by the page.

Reference: https://docs.mistral.ai/api/#tag/ocr
"""

from __future__ import annotations

from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, last_object, word
from agent.model import RequestHead


class MistralOcr(Reader):
    api: ClassVar[str] = "mistral/ocr"
    operation: ClassVar[str] = "ocr"
    _shape: ClassVar[frozenset[str]] = frozenset({"usage_info", "error"})

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/v1/ocr")

    def _take(self, answer: Json) -> None:
        self.served_model = word(answer.get("model"))
        self._count(pages=count(get(answer, "usage_info", "pages_processed")))

    def _take_part(self, body: bytes) -> None:
        self._count(pages=count(last_object(body, b"usage_info").get("pages_processed")))
