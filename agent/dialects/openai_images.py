"""
Pictures: ``POST …/images/generations``, ``…/edits``, ``…/variations``; OpenAI's and those of xAI and others who speak it.

Reference: https://platform.openai.com/docs/api-reference/images
gpt-image models state tokens, in a stream with its last event.  dall-e states nothing and is billed by the piece, size and quality: so we
count the pieces, which is then our count and not the provider's.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.multipart import form_field
from agent.dialects.openai_usage import read_usage
from agent.dialects.paths import name_in_path
from agent.dialects.reader import NOTHING, Reader
from agent.dialects.values import Json, items, last_object, mapping, word
from agent.model import RequestHead

_PATH = re.compile(r"/images/(?:generations|edits|variations)$")
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")
_PICTURE = re.compile(rb'"(?:b64_json|url)"\s*:\s*"')


class OpenAiImages(Reader):
    api: ClassVar[str] = "openai/images"
    operation: ClassVar[str] = "image_generation"
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"(?:usage|error)"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and _PATH.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self._deployment = name_in_path(_DEPLOYMENT, request)
        self._size = self._quality = ""
        self._pictures = 0

    def request_body(self, body: bytes, complete: bool) -> None:
        super().request_body(body, complete)
        if body.startswith(b"--"):
            self._ask({name: form_field(body, name) for name in ("model", "size", "quality")})

    def _ask(self, asked: Json) -> None:
        self.requested_model = word(asked.get("model")) or self._deployment
        self._size, self._quality = word(asked.get("size")), word(asked.get("quality"))

    def _take(self, answer: Json) -> None:
        self._pictures += len(items(answer.get("data"))) or int(answer.get("type") == "image_generation.completed")
        self._take_usage(mapping(answer.get("usage")))
        self.served_model = word(answer.get("model")) or self.served_model
        self._size = word(answer.get("size")) or self._size
        self._quality = word(answer.get("quality")) or self._quality
        self.final = True

    def _take_part(self, body: bytes) -> None:
        self._take_usage(last_object(body, b"usage"))
        self._pictures = len(_PICTURE.findall(body))

    def _take_usage(self, usage: Json) -> None:
        read = read_usage(usage, provider=self.provider, model=self.requested_model)
        self.cost = self.cost if read.reported_cost_usd is None else read.reported_cost_usd
        if not read.stated:
            return
        self.remarks += read.remarks
        self.usage = read.usage

    def _end(self, *, complete: bool) -> None:
        self.variant = "/".join(filter(None, (self._size, self._quality)))
        self.estimated = self.usage == NOTHING and self._pictures > 0
        if self.estimated:
            self._count(images=self._pictures)
