"""
Gemini ``generateContent`` and ``streamGenerateContent``: the Gemini API and Vertex AI.

Reference: https://ai.google.dev/api/generate-content#UsageMetadata
``candidatesTokenCount`` excludes thoughts and ``promptTokenCount`` excludes what the model's own tools brought in, so we add
them; cached tokens are part of the prompt.  A stream states usage in every chunk: the last whole object counts, nothing of the
earlier ones.
"""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import unquote

from agent.dialects.openai_chat import MAX_TOOL_CALLS, evidence_without_usage
from agent.dialects.values import Json, count, error_word, get, items, last_object, mapping, parse, word
from agent.model import Evidence, Reading, RequestHead, ResponseHead, StreamItem, Usage

_PATH = re.compile(r"/models/([^/]+):(?:generateContent|streamGenerateContent)$")
_COUNTERS = ("promptTokenCount", "candidatesTokenCount", "totalTokenCount")


class GeminiGenerate:
    api: ClassVar[str] = "gemini/generateContent"
    arrays_are_streams: ClassVar[bool] = False

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return (
            request.method == "POST" and request.path.endswith(":generateContent") and bool(_PATH.search(request.path))
        )

    def __init__(self, request: RequestHead, provider: str) -> None:
        model = _PATH.search(request.path)
        self._requested_model = unquote(model[1]) if model else ""
        self._status = 0
        self._tier = ""
        self._served_model = self._response_id = self._finish_reason = self._error = ""
        self._usage: Json = {}
        self._usage_final = False
        self._last: bytes = b""
        self._tools: list[str] = []
        self._queries = 0
        self._blocked = False

    def request_body(self, body: bytes, complete: bool) -> None:
        """Nothing in it is needed: the model stands in the path."""

    def response_head(self, head: ResponseHead) -> None:
        self._status = head.status
        self._tier = head.headers.get("x-gemini-service-tier", "")

    def document(self, body: bytes, complete: bool) -> None:
        answer = parse(body)
        if isinstance(answer, list) and answer:
            answer = answer[0]
        if isinstance(answer, dict):
            self._take(answer)
            self._usage_final = bool(self._usage)
        elif not complete:
            self._usage = last_object(body, b"usageMetadata")

    def item(self, item: StreamItem) -> None:
        data = item.data
        # Every chunk has usage and only the last one's counts, so it is parsed at the end; tool calls and ends at once.
        if b"functionCall" in data or b"finishReason" in data or b'"error"' in data or not self._response_id:
            self._last = b""
            self._take(mapping(parse(data)))
        else:
            self._last = data

    def _take(self, answer: Json) -> None:
        self._response_id = word(answer.get("responseId")) or self._response_id
        self._served_model = word(answer.get("modelVersion")) or self._served_model
        if answer.get("error"):
            self._error = word(get(answer, "error", "status")) or error_word(answer["error"])
        if get(answer, "promptFeedback", "blockReason"):
            self._blocked = True
        finished = False
        for candidate in items(answer.get("candidates")):
            reason = word(get(candidate, "finishReason"))
            finished = finished or bool(reason)
            self._finish_reason = self._finish_reason or reason
            for part in items(get(candidate, "content", "parts")):
                name = word(get(part, "functionCall", "name"))
                if name and len(self._tools) < MAX_TOOL_CALLS:
                    self._tools.append(name)
            self._queries += len(items(get(candidate, "groundingMetadata", "webSearchQueries")))
        usage = mapping(answer.get("usageMetadata"))
        if any(name in usage for name in _COUNTERS):
            self._usage = usage
            self._usage_final = finished or self._blocked

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        if self._last:
            self._take(mapping(parse(self._last)))
            self._last = b""
        usage = _usage(self._usage)
        if usage.input_tokens is not None or usage.output_tokens is not None:
            evidence = Evidence.REPORTED if self._usage_final or (complete and streaming) else Evidence.PARTIAL
        else:
            evidence = evidence_without_usage(self._status, served=not self._error)
        return Reading(
            operation="generate_content",
            requested_model=self._requested_model,
            served_model=self._served_model,
            response_id=self._response_id,
            streaming=streaming,
            usage=usage,
            evidence=evidence,
            finish_reason=self._finish_reason,
            tool_calls=tuple(self._tools),
            server_tool_calls={"google_search_queries": self._queries} if self._queries else {},
            service_tier=word(self._usage.get("serviceTier")) or word(self._usage.get("trafficType")) or self._tier,
            error=self._error,
        )


class GeminiStream(GeminiGenerate):
    """``streamGenerateContent``: server-sent events with ``alt=sse``, else one JSON array written element by element."""

    api: ClassVar[str] = "gemini/streamGenerateContent"
    arrays_are_streams: ClassVar[bool] = True

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return (
            request.method == "POST"
            and request.path.endswith(":streamGenerateContent")
            and bool(_PATH.search(request.path))
        )


def _usage(usage: Json) -> Usage:
    prompt, made = count(usage.get("promptTokenCount")), count(usage.get("candidatesTokenCount"))
    thoughts, tools = count(usage.get("thoughtsTokenCount")), count(usage.get("toolUsePromptTokenCount"))
    if not usage or (prompt is None and made is None and count(usage.get("totalTokenCount")) is None):
        return Usage()
    # Missing is 0 here: the fields of a protocol buffer are left out when they are 0.
    return Usage(
        input_tokens=(prompt or 0) + (tools or 0),
        output_tokens=(made or 0) + (thoughts or 0),
        cache_read_input_tokens=count(usage.get("cachedContentTokenCount")),
        reasoning_output_tokens=thoughts,
        tool_use_input_tokens=tools,
        audio_input_tokens=_modality(usage, "AUDIO", "promptTokensDetails", "toolUsePromptTokensDetails"),
        image_input_tokens=_modality(usage, "IMAGE", "promptTokensDetails", "toolUsePromptTokensDetails"),
        video_input_tokens=_modality(usage, "VIDEO", "promptTokensDetails", "toolUsePromptTokensDetails"),
        audio_output_tokens=_modality(usage, "AUDIO", "candidatesTokensDetails"),
        image_output_tokens=_modality(usage, "IMAGE", "candidatesTokensDetails"),
    )


def _modality(usage: Json, modality: str, *names: str) -> int | None:
    found = [
        count(get(detail, "tokenCount")) or 0
        for name in names
        for detail in items(usage.get(name))
        if get(detail, "modality") == modality
    ]
    return sum(found) if found else None
