"""
An exchange whose path or host was said before we came (HTTP/2 joined in the middle): which API it is, and whose, by what the bodies say.

The answer's first object decides the API, unless the path is known; of gRPC, the request's message (``by_messages``).  The provider is named where the answer's shape is one provider's alone,
else by the maker of the model that served.  The remark ``names_from_body`` says that this is so; counts are the provider's own as ever.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

from agent.dialects import DIALECTS
from agent.dialects.anthropic_messages import AnthropicMessages
from agent.dialects.base import Dialect
from agent.dialects.bedrock_converse import BedrockConverse, BedrockConverseStream
from agent.dialects.by_messages import STREAMED, begins_with_a_message, method_answered, method_asked
from agent.dialects.gemini_generate import GeminiGenerate, GeminiStream
from agent.dialects.openai_chat import OpenAiChat
from agent.dialects.openai_completions import OpenAiCompletions
from agent.dialects.openai_embeddings import OpenAiEmbeddings
from agent.dialects.openai_responses import OpenAiResponses
from agent.dialects.values import get, items, mapping, parse, word
from agent.model import Evidence, Reading, RequestHead, ResponseHead, StreamItem

REMARK = "names_from_body"
GUESSED = "provider_from_model"
"""Beside it, where the provider is no more than the maker of the model that served."""
# Streams tell what they are at once; a provider's own greetings (pings, comments) come before it.
_MAX_SILENT_ITEMS = 8
_OBJECTS: dict[str, type[Dialect]] = {
    "chat.completion": OpenAiChat,
    "chat.completion.chunk": OpenAiChat,
    "text_completion": OpenAiCompletions,
    "response": OpenAiResponses,
}
# Whose answers have a member that nobody else's have.
_SIGNS = (
    (b'"prompt_filter_results"', "azure.ai.openai"),
    (b'"content_filter_results"', "azure.ai.openai"),
    (b'"x_groq"', "groq"),
    (b'"id":"msg_bdrk_', "aws.bedrock"),
    (b'"id":"msg_vrtx_', "gcp.vertex_ai"),
    (b'"id":"gen-', "openrouter"),
)
_MAKERS = (
    (re.compile(r"(?:gpt|chatgpt|o\d|text-embedding|davinci|babbage|codex)-"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-"), "gcp.gemini"),
    (re.compile(r"deepseek-"), "deepseek"),
    (re.compile(r"grok-"), "x_ai"),
    (re.compile(r"(?:open-)?(?:mistral|mixtral|ministral|codestral)-"), "mistral_ai"),
)


class ByBody:
    """A dialect that becomes another one."""

    api: ClassVar[str] = "unknown"
    # Of the APIs that are known by their shape only Gemini sends arrays, and they are its streams.
    arrays_are_streams: ClassVar[bool] = True
    lines_are_streams: ClassVar[bool] = False

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.missing

    def __init__(self, request: RequestHead, provider: str) -> None:
        self.provider = provider
        self._request = request
        self._asked: tuple[bytes, bool] | None = None
        self._head: ResponseHead | None = None
        self._signs = ""
        self._silent_items = 0
        self._guessed = False
        self._is: Dialect | None = None
        self._first_message: StreamItem | None = None
        """Of an answer in gRPC that may turn out to be a stream."""
        self.asked_in_messages = False
        known = next((one for one in DIALECTS if request.target and one.accepts(request)), None)
        if known is not None:
            self._become(known)

    @property
    def found(self) -> str:
        """The API that it became; "" until then."""
        return self._is.api if self._is is not None else ""

    def request_body(self, body: bytes, complete: bool) -> None:
        self.asked_in_messages = begins_with_a_message(body)
        if self._is is not None:
            self._is.request_body(body, complete)
            return
        self._asked = (body, complete)
        kind = method_asked(body) if self.asked_in_messages else None
        if kind is not None:
            self._signs = "gcp.vertex_ai"
            self._become(kind)

    def response_head(self, head: ResponseHead) -> None:
        self._head = head
        if self._is is not None:
            self._is.response_head(head)

    def document(self, body: bytes, complete: bool) -> None:
        self._look(body, "", streaming=False)
        if self._is is not None:
            self._is.document(body, complete)

    def item(self, item: StreamItem) -> None:
        if self.asked_in_messages:
            self._look_at_message(item)
        elif self._is is None and self._silent_items < _MAX_SILENT_ITEMS:
            self._silent_items += 1
            self._look(item.data, item.name, streaming=True)
        if self._is is not None:
            self._is.item(item)

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        if self._is is None:
            return Reading(operation="", evidence=Evidence.NOT_APPLICABLE, recognised=False)
        reading = self._is.reading(complete=complete, streaming=streaming)
        if self.provider == "unknown":
            model = reading.served_model or reading.requested_model
            maker = next((maker for pattern, maker in _MAKERS if pattern.match(model)), "unknown")
            self.provider = self._signs or maker
            self._guessed = self.provider != "unknown" and not self._signs
        guessed = (GUESSED,) if self._guessed else ()
        return replace(reading, remarks=(*reading.remarks, REMARK, *guessed))

    def _look(self, body: bytes, name: str, *, streaming: bool) -> None:
        answer = parse(body)
        if not self._signs:
            # Signs stand at the beginning; JSON of the providers is written with and without spaces.
            start = body[:4096].replace(b": ", b":")
            self._signs = next((provider for sign, provider in _SIGNS if sign in start), "")
        if self._is is None:
            kind = _kind(answer, name, streaming=streaming)
            if kind is not None:
                self._become(kind)

    def _look_at_message(self, item: StreamItem) -> None:
        if self._asked is None:
            return
        if self._is is None:
            kind = method_answered(self._asked[0], item.data)
            if kind is not None:
                self._become(kind)
            self._asked = None
        elif self._first_message is None:
            self._first_message = item
        else:
            self._become(STREAMED[type(self._is)])
            self._is.item(self._first_message)
            self._asked = self._first_message = None

    def _become(self, kind: type[Dialect]) -> None:
        self._is = kind(self._request, self.provider)
        if self._asked is not None:
            self._is.request_body(*self._asked)
            if kind not in STREAMED:
                self._asked = None
        if self._head is not None:
            self._is.response_head(self._head)


def _kind(answer: object, name: str, *, streaming: bool) -> type[Dialect] | None:
    """The API whose answers look like that."""
    if name in ("messageStart", "contentBlockDelta"):
        return BedrockConverseStream
    fields = mapping(answer)
    said, kind = word(fields.get("object")), word(fields.get("type"))
    if said in _OBJECTS:
        return _OBJECTS[said]
    if kind.startswith("response."):
        return OpenAiResponses
    if kind == "message_start" or (kind == "message" and "usage" in fields):
        return AnthropicMessages
    if "candidates" in fields or "usageMetadata" in fields:
        return GeminiStream if streaming else GeminiGenerate
    if said == "list" and any(get(one, "object") == "embedding" for one in items(fields.get("data"))[:1]):
        return OpenAiEmbeddings
    if "metrics" in fields and isinstance(get(fields, "usage", "inputTokens"), int):
        return BedrockConverse
    return None
