"""
Sound: ``POST …/audio/transcriptions``, ``…/translations`` and ``…/speech``; OpenAI's, and those of Mistral, Groq and others who speak it.

Reference: https://platform.openai.com/docs/api-reference/audio
A transcription states tokens, or seconds (Whisper); its model stands in a form.  Speech answers with sound and states nothing, so the
characters of its text are counted by us; streamed as events it states tokens with the last one.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.multipart import form_field
from agent.dialects.openai_usage import read_usage
from agent.dialects.paths import name_in_path
from agent.dialects.reader import NOTHING, Reader
from agent.dialects.values import Json, count, last_object, mapping, seconds, word
from agent.model import RequestHead

_TRANSCRIBE = re.compile(r"/audio/(?:transcriptions|translations)$")
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")


class OpenAiTranscription(Reader):
    api: ClassVar[str] = "openai/transcription"
    operation: ClassVar[str] = "transcription"
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"(?:usage|error)"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and _TRANSCRIBE.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self._deployment = name_in_path(_DEPLOYMENT, request)

    def request_body(self, body: bytes, complete: bool) -> None:
        if body.startswith(b"--"):
            self.requested_model = form_field(body, "model") or self._deployment
        else:
            super().request_body(body, complete)

    def _ask(self, asked: Json) -> None:
        self.requested_model = word(asked.get("model")) or self._deployment

    def _take(self, answer: Json) -> None:
        self.served_model = word(answer.get("model")) or self.served_model
        self._take_usage(mapping(answer.get("usage")))
        if answer.get("type") == "transcript.text.done":
            self.final = True
        if self.usage == NOTHING and "duration" in answer:
            # Whisper's verbose answer says how long the sound was, also on servers that state no usage.
            self._count(audio_seconds=seconds(answer.get("duration")) or _number(answer.get("duration")))

    def _take_part(self, body: bytes) -> None:
        self._take_usage(last_object(body, b"usage"))

    def _take_usage(self, usage: Json) -> None:
        self._count(audio_seconds=seconds(usage.get("seconds")))
        read = read_usage({**usage, "input_tokens_details": usage.get("input_token_details")} if usage else usage)
        if read.stated:
            took = self.usage.audio_seconds
            self.usage = read.usage
            self.remarks += read.remarks
            self._count(audio_seconds=took)


class OpenAiSpeech(Reader):
    api: ClassVar[str] = "openai/speech"
    operation: ClassVar[str] = "speech"
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"(?:usage|error)"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and request.path.endswith("/audio/speech")

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self._characters: int | None = None

    def _ask(self, asked: Json) -> None:
        self.requested_model = word(asked.get("model"))
        text = asked.get("input")
        self._characters = len(text) if isinstance(text, str) else None

    def _take(self, answer: Json) -> None:
        read = read_usage(mapping(answer.get("usage")))
        if read.stated:
            self.usage = read.usage
            self.final = True

    def _end(self, *, complete: bool) -> None:
        if self.usage == NOTHING and 200 <= self.status < 300 and not self.error:
            self._count(characters=count(self._characters))
            self.estimated = self._characters is not None


def _number(value: object) -> float | None:
    """OpenAI writes the seconds as text in some versions."""
    found = re.fullmatch(r"[0-9]{1,8}(?:\.[0-9]{1,9})?", value, re.ASCII) if isinstance(value, str) else None
    return float(found[0]) if found else None
