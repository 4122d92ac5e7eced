"""
Deepgram's transcription of recorded sound: ``POST /v1/listen``.  Billed by the second of sound.

Reference: https://developers.deepgram.com/reference/listen-file
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import parse_qs

from agent.dialects.reader import Reader
from agent.dialects.values import Json, get, last_object, mapping, seconds, word
from agent.model import RequestHead


class DeepgramListen(Reader):
    api: ClassVar[str] = "deepgram/listen"
    operation: ClassVar[str] = "transcription"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.host.endswith("deepgram.com") and request.path == "/v1/listen"

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        asked = parse_qs(request.target.partition("?")[2])
        self.requested_model = word(asked.get("model", [""])[0])

    def request_body(self, body: bytes, complete: bool) -> None:
        """Sound, or where it is found."""

    def _take(self, answer: Json) -> None:
        metadata = mapping(answer.get("metadata"))
        self.response_id = word(metadata.get("request_id"))
        models = mapping(metadata.get("model_info"))
        self.served_model = word(get(next(iter(models.values()), None), "name"))
        self._count(audio_seconds=seconds(metadata.get("duration")))

    def _take_part(self, body: bytes) -> None:
        self._count(audio_seconds=seconds(last_object(body, b"metadata").get("duration")))
