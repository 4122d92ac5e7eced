"""
Gemini on Vertex AI over gRPC, as Google's own client libraries call it: the messages of ``generateContent`` in protocol buffers.

Reference: google/cloud/aiplatform/v1/prediction_service.proto and content.proto, in https://github.com/googleapis/googleapis
The fields that matter are put into the names that they have in JSON; what they mean is read where JSON's are.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.answers import model_in_part
from agent.dialects.gemini_generate import GeminiGenerate
from agent.dialects.protobuf import Message
from agent.dialects.values import Json
from agent.model import Reading, RequestHead, StreamItem
from agent.protocol.grpc import messages

_PATH = re.compile(r"/google\.cloud\.aiplatform\.v1(?:beta1)?\.PredictionService/(Stream)?GenerateContent$")
_COUNTS = {
    "promptTokenCount": 1,
    "candidatesTokenCount": 2,
    "totalTokenCount": 3,
    "cachedContentTokenCount": 5,
    "toolUsePromptTokenCount": 13,
    "thoughtsTokenCount": 14,
}
_DETAILS = {
    "promptTokensDetails": 9,
    "cacheTokensDetails": 10,
    "candidatesTokensDetails": 11,
    "toolUsePromptTokensDetails": 12,
}
_MODALITIES = ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT")
_TRAFFIC = ("", "ON_DEMAND", "PROVISIONED_THROUGHPUT", "ON_DEMAND_PRIORITY", "ON_DEMAND_FLEX")
_REASONS = (
    "",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
)


class GeminiGrpc(GeminiGenerate):
    """One answer: the same API as over REST."""

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return (found := _PATH.search(request.path)) is not None and not found[1]

    def request_body(self, body: bytes, complete: bool) -> None:
        # The messages of a conversation come before the model's name in no client's order, so a cut request may lack it.
        for message in messages(body):
            self._requested_model = Message(message).text(5).rpartition("/")[2] or self._requested_model
        del complete

    def item(self, item: StreamItem) -> None:
        self._take(answer_of(Message(item.data)))

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        """A call with one answer is written as a stream of one message."""
        return super().reading(complete=complete, streaming=streaming and isinstance(self, GeminiGrpcStream))

    def document(self, body: bytes, complete: bool) -> None:
        """gRPC has none; a proxy's error in HTML is one."""
        self._served_model = self._served_model or model_in_part(body[:1024])
        del complete


class GeminiGrpcStream(GeminiGrpc):
    api: ClassVar[str] = "gemini/streamGenerateContent"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return (found := _PATH.search(request.path)) is not None and bool(found[1])


def answer_of(message: Message) -> Json:
    """GenerateContentResponse, under JSON's names."""
    answer: Json = {
        "responseId": message.text(13),
        "modelVersion": message.text(11),
        "candidates": [_candidate(candidate) for candidate in message.messages(2)],
    }
    if message.message(3).number(1):
        answer["promptFeedback"] = {"blockReason": True}
    if usage := message.message(4):
        answer["usageMetadata"] = _usage(usage)
    return answer


def _candidate(candidate: Message) -> Json:
    parts = candidate.message(2).messages(2)
    return {
        "finishReason": _named(_REASONS, candidate.number(3)),
        "content": {
            "parts": [{"functionCall": {"name": part.message(5).text(1)}} for part in parts if part.message(5)]
        },
        "groundingMetadata": {"webSearchQueries": candidate.message(7).texts(1)},
    }


def _usage(usage: Message) -> Json:
    # What is 0 is not sent: a message that is there states all its counts.
    found: Json = {
        name: usage.number(field) or 0 for name, field in _COUNTS.items() if usage.number(field) or field < 4
    }
    for name, field in _DETAILS.items():
        details = [
            {"modality": _named(_MODALITIES, detail.number(1)), "tokenCount": detail.number(2) or 0}
            for detail in usage.messages(field)
        ]
        if details:
            found[name] = details
    traffic = _named(_TRAFFIC, usage.number(8))
    return {**found, "trafficType": traffic} if traffic else found


def _named(names: tuple[str, ...], number: int | None) -> str:
    """A value that is newer than this list by its number."""
    number = number or 0
    return names[number] if number < len(names) else str(number)
