"""
Gemini ``generateContent`` and ``streamGenerateContent``: the Gemini API and Vertex AI.

Reference: https://ai.google.dev/api/generate-content#UsageMetadata
``candidatesTokenCount`` excludes thoughts and ``promptTokenCount`` excludes what the model's own tools brought in, so we add
them; cached tokens are part of the prompt.  A stream states usage in every chunk: the last whole object counts, nothing of the
earlier ones.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import ClassVar

from agent.dialects.answers import MAX_TOOL_CALLS, evidence_without_usage, gateway_cost, header_cost
from agent.dialects.openai_usage import part
from agent.dialects.paths import method_in_path, name_in_path
from agent.dialects.values import Json, count, error_word, get, items, last_object, mapping, parse, word
from agent.model import Evidence, Reading, RequestHead, ResponseHead, StreamItem, Usage

# Tuned models have paths of their own; some clients escape the colon.
_PATH = re.compile(r"/(?:models|tunedModels|endpoints)/([^/:%]+)(?::|%3A)(generateContent|streamGenerateContent)$")
# What a chunk must have to be parsed at once.
_TELLING = re.compile(rb'"(?:functionCall|finishReason|error|promptFeedback|groundingMetadata)"')
_COUNTERS = ("promptTokenCount", "candidatesTokenCount", "totalTokenCount")


class GeminiGenerate:
    api: ClassVar[str] = "gemini/generateContent"
    arrays_are_streams: ClassVar[bool] = False
    lines_are_streams: ClassVar[bool] = False

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return method_in_path(_PATH, request) == "generateContent"

    def __init__(self, request: RequestHead, provider: str) -> None:
        self._requested_model = name_in_path(_PATH, request)
        self._status = 0
        self._tier = ""
        self._header_cost: Decimal | None = None
        self._served_model = self._response_id = self._finish_reason = self._error = ""
        self._usage: Json = {}
        self._usage_final = False
        self._last: bytes = b""
        self._tools: list[str] = []
        self._queries: set[str] = set()
        self._blocked = False

    def request_body(self, body: bytes, complete: bool) -> None:
        """Nothing in it is needed: the model stands in the path."""

    def response_head(self, head: ResponseHead) -> None:
        self._status = head.status
        self._tier = word(head.headers.get("x-gemini-service-tier"))
        self._header_cost = header_cost(head)

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
        if self._response_id and _TELLING.search(data) is None:
            # Vertex AI's chunks without counts (`{"trafficType": …}`) replace none.
            if b'TokenCount"' in data:
                self._last = data
        else:
            self._take_last()
            self._take(mapping(parse(data)))

    def _take_last(self) -> None:
        if self._last:
            last, self._last = self._last, b""
            self._take(mapping(parse(last)))

    def _take(self, answer: Json) -> None:
        self._response_id = word(answer.get("responseId")) or self._response_id
        self._served_model = word(answer.get("modelVersion")) or self._served_model
        if answer.get("error"):
            self._error = word(get(answer, "error", "status")) or error_word(answer["error"])
        if get(answer, "promptFeedback", "blockReason"):
            self._blocked = True
        finished = False
        for candidate in items(answer.get("candidates")):
            reason = _reason(get(candidate, "finishReason"))
            finished = finished or bool(reason)
            self._finish_reason = self._finish_reason or reason
            for piece in items(get(candidate, "content", "parts")):
                name = word(get(piece, "functionCall", "name"))
                if name and len(self._tools) < MAX_TOOL_CALLS:
                    self._tools.append(name)
            # A stream repeats its queries from chunk to chunk.
            for query in items(get(candidate, "groundingMetadata", "webSearchQueries")):
                if isinstance(query, str) and len(self._queries) < MAX_TOOL_CALLS:
                    self._queries.add(query)
        usage = mapping(answer.get("usageMetadata"))
        if any(name in usage for name in _COUNTERS):
            self._usage = usage
            self._usage_final = finished or self._blocked

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        self._take_last()
        remarks: list[str] = []
        usage = generate_usage(self._usage, remarks)
        gateway = gateway_cost(self._usage)
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
            server_tool_calls={"google_search_queries": len(self._queries)} if self._queries else {},
            service_tier=word(self._usage.get("serviceTier")) or word(self._usage.get("trafficType")) or self._tier,
            reported_cost_usd=self._header_cost if gateway is None else gateway,
            error=self._error,
            remarks=tuple(dict.fromkeys(remarks)),
        )


class GeminiStream(GeminiGenerate):
    """``streamGenerateContent``: server-sent events with ``alt=sse``, else one JSON array written element by element."""

    api: ClassVar[str] = "gemini/streamGenerateContent"
    arrays_are_streams: ClassVar[bool] = True

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return method_in_path(_PATH, request) == "streamGenerateContent"


def _reason(value: object) -> str:
    """Vertex AI's older servers give the number of the enum instead of its name."""
    return str(value) if isinstance(value, int) and count(value) else word(value)


def generate_usage(usage: Json, remarks: list[str]) -> Usage:
    prompt, made = count(usage.get("promptTokenCount")), count(usage.get("candidatesTokenCount"))
    thoughts, tools = count(usage.get("thoughtsTokenCount")), count(usage.get("toolUsePromptTokenCount"))
    if not usage or (prompt is None and made is None and count(usage.get("totalTokenCount")) is None):
        return Usage()
    # Missing is 0 here: the fields of a protocol buffer are left out when they are 0.
    taken, given = (prompt or 0) + (tools or 0), (made or 0) + (thoughts or 0)
    total = count(usage.get("totalTokenCount"))
    if total is not None and total != taken + given:
        remarks.append("total_exceeds_parts" if total > taken + given else "parts_exceed_total")
    asked = ("promptTokensDetails", "toolUsePromptTokensDetails")
    answered = ("candidatesTokensDetails",)
    return Usage(
        input_tokens=taken,
        output_tokens=given,
        cache_read_input_tokens=part(
            count(usage.get("cachedContentTokenCount")), taken, "cached_exceeds_input", remarks
        ),
        reasoning_output_tokens=thoughts,
        tool_use_input_tokens=tools,
        audio_input_tokens=part(modality(usage, "AUDIO", asked), taken, "modality_exceeds_input", remarks),
        image_input_tokens=part(modality(usage, "IMAGE", asked), taken, "modality_exceeds_input", remarks),
        video_input_tokens=part(modality(usage, "VIDEO", asked), taken, "modality_exceeds_input", remarks),
        audio_output_tokens=part(modality(usage, "AUDIO", answered), given, "modality_exceeds_output", remarks),
        image_output_tokens=part(modality(usage, "IMAGE", answered), given, "modality_exceeds_output", remarks),
        cache_read_audio_input_tokens=modality(usage, "AUDIO", ("cacheTokensDetails",)),
        cache_read_image_input_tokens=modality(usage, "IMAGE", ("cacheTokensDetails",)),
    )


def modality(usage: Json, modality: str, names: tuple[str, ...]) -> int | None:
    found = [
        count(get(detail, "tokenCount")) or 0
        for name in names
        for detail in items(usage.get(name))
        if get(detail, "modality") == modality
    ]
    return sum(found) if found else None
