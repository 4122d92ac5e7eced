"""
OpenAI chat completions: ``POST …/chat/completions``, and everyone who speaks it.

Reference: https://platform.openai.com/docs/api-reference/chat
A stream states usage in its last chunk and only when asked (``stream_options.include_usage``); others state it unasked, in
``x_groq`` (Groq), in the last choice (Moonshot), or in every chunk, growing (Perplexity, vLLM).  The last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import ClassVar

from agent.dialects.answers import (
    MAX_TOOL_CALLS,
    Tally,
    evidence_without_usage,
    header_cost,
    model_in_part,
    request_fields,
    stated_server_tools,
    tier_of,
)
from agent.dialects.openai_usage import UsageReading, read_usage
from agent.dialects.paths import name_in_path
from agent.dialects.reader import header_count
from agent.dialects.values import Json, count, error_word, get, items, last_object, mapping, parse, word
from agent.model import Evidence, ExtraUsage, Reading, RequestHead, ResponseHead, StreamItem

# Mistral's agents and fill-in-the-middle, Snowflake's own path and Mistral's models on Vertex have other paths and the same bodies.
_PATH = re.compile(
    r"/chat/completions$|/(?:agents|fim)/completions$|/cortex/inference:complete$"
    r"|/publishers/mistralai/models/[^/:]+:(?:streamR|r)awPredict$"
)
# xAI: asked for with ``deferred``, fetched later, and only then is there usage.  Until then 202.
_DEFERRED = re.compile(r"/chat/deferred-completion/[^/]+$")
_IN_PATH = re.compile(r"/(?:deployments|engines|mistralai/models)/([^/:]+)[/:]")
# What a chunk must have to be parsed; most deltas have nothing of it.  What is escaped inside a string can't look like this.  Groq's
# own usage and errors, inside ``x_groq``, have the same names.
_TELLING = re.compile(rb'"(?:name"|error"|usage"(?!:null)|finish_reason"(?!:null))').search
_RESULTS = frozenset({"choices", "data", "embeddings"})
_RECEIPT = frozenset({"request_id", "status"})
# A hundred answers at once is what the API allows (``n``).
_MAX_CHOICES = 1024


class OpenAiChat:
    api: ClassVar[str] = "openai/chat"
    arrays_are_streams: ClassVar[bool] = False
    lines_are_streams: ClassVar[bool] = False
    operation: ClassVar[str] = "chat"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        if request.method != "POST":
            return request.method == "GET" and _DEFERRED.search(request.path) is not None
        # Writer's path has another API behind it elsewhere (Cohere).
        return _PATH.search(request.path) is not None or (
            request.path == "/v1/chat" and request.host == "api.writer.com"
        )

    def __init__(self, request: RequestHead, provider: str) -> None:
        self._path_model = name_in_path(_IN_PATH, request)
        self._provider = provider
        self._requested_model = self._requested_tier = ""
        self._status = 0
        self._header_cost: Decimal | None = None
        self._header_cached: int | None = None
        self._head: ResponseHead | None = None
        self._served_model = self._response_id = self._finish_reason = self._tier = self._error = ""
        self._usage: Json = {}
        self._usage_final = False
        self._pending = False
        """The answer is a receipt: the completion itself comes with a later question."""
        self._open: set[int] = set()
        """Choices that have begun and not ended …"""
        self._closed: set[int] = set()
        """… and those that have."""
        self._breakdown: list[object] = []
        self._tools: dict[tuple[int, int, str], str] = {}
        self._server_tools = Tally()

    def request_body(self, body: bytes, complete: bool) -> None:
        self._requested_model, self._requested_tier = request_fields(body, complete)

    def response_head(self, head: ResponseHead) -> None:
        self._status = head.status
        self._header_cost = header_cost(head)
        self._head = head
        # Fireworks: what the cache gave stands in a header alone.
        self._header_cached = header_count(dict(head.headers), "fireworks-cached-prompt-tokens")

    def document(self, body: bytes, complete: bool) -> None:
        answer = parse(body)
        if isinstance(answer, dict):
            self._take(answer)
            self._usage_final = bool(self._usage)
            # Perplexity's asynchronous jobs and xAI's deferred ones answer with an id alone.
            self._pending = _RESULTS.isdisjoint(answer) and not _RECEIPT.isdisjoint(answer)
            if self._status >= 400 and not self._error:
                self._error = error_word(answer)
        elif isinstance(answer, list) and answer:
            self._error = error_word(get(answer[0], "error"))  # Gemini's compatible route
        elif not complete:
            self._served_model = model_in_part(body[:1024])
            self._usage = last_object(body, b"usage")

    def item(self, item: StreamItem) -> None:
        data = item.data
        if self._response_id and _TELLING(data) is None and not item.name:
            return
        chunk = parse(data)
        if isinstance(chunk, dict):
            if item.name == "error" and "error" not in chunk:
                self._error = error_word(chunk) or "error"
            self._take(chunk)

    def _take(self, answer: Json) -> None:
        """One whole answer or one chunk of a stream."""
        self._response_id = self._response_id or word(answer.get("id"))
        self._served_model = word(answer.get("model")) or self._served_model
        self._tier = word(answer.get("service_tier")) or self._tier
        error = answer.get("error") or get(answer, "x_groq", "error")
        if error:
            self._error = error_word(error)
        choices = items(answer.get("choices"))
        usage = answer.get("usage") or get(answer, "x_groq", "usage") or _from_timings(mapping(answer.get("timings")))
        for position, choice in enumerate(choices[:_MAX_CHOICES]):
            self._take_choice(position, mapping(choice))
            usage = usage or get(choice, "usage")
        if isinstance(usage, dict) and usage:
            self._usage = usage
            # Stated beside a choice that goes on, it will grow.
            self._usage_final = not choices or "x_groq" in answer or (bool(self._closed) and not self._open)
        # Groq's compound systems: one call, several models, one usage.
        parts = get(answer, "usage_breakdown", "models") or get(answer, "x_groq", "usage_breakdown", "models")
        self._breakdown = items(parts) or self._breakdown

    def _take_choice(self, position: int, choice: Json) -> None:
        index = choice.get("index")
        index = index if isinstance(index, int) else position
        reason = word(choice.get("finish_reason"))
        if reason:
            self._open.discard(index)
            if len(self._closed) < _MAX_CHOICES:
                self._closed.add(index)
            if position == 0 and not self._finish_reason:
                self._finish_reason = reason
        elif index not in self._closed and len(self._open) < _MAX_CHOICES:
            self._open.add(index)
        message = mapping(choice.get("message")) or mapping(choice.get("delta"))
        self._take_tools(index, message)
        for tool in items(message.get("executed_tools"))[:MAX_TOOL_CALLS]:
            self._server_tools.add(word(get(tool, "type")))  # Groq's compound models

    def _take_tools(self, choice: int, message: Json) -> None:
        for position, call in enumerate(items(message.get("tool_calls"))):
            name = word(get(call, "function", "name")) or word(get(call, "custom", "name"))
            if not name or len(self._tools) >= MAX_TOOL_CALLS:
                continue
            index = get(call, "index")
            index = index if isinstance(index, int) else position
            # Servers exist that number every call 0 and tell them apart by id alone, and others that repeat a name without its id.
            call_id = word(get(call, "id"))
            if call_id or not any(key[:2] == (choice, index) and self._tools[key] == name for key in self._tools):
                self._tools.setdefault((choice, index, call_id or name), name)
        name = word(get(message, "function_call", "name"))
        if name:
            self._tools.setdefault((choice, 0, ""), name)

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        model = self._served_model or self._requested_model
        tier = self._tier or word(self._usage.get("service_tier"))
        if self._usage and self._header_cached is not None and "prompt_tokens_details" not in self._usage:
            self._usage = self._usage | {"prompt_tokens_details": {"cached_tokens": self._header_cached}}
        read = read_usage(self._usage, provider=self._provider, model=model)
        return Reading(
            operation=self.operation,
            requested_model=self._requested_model or self._path_model,
            served_model=self._served_model,
            response_id=self._response_id,
            streaming=streaming,
            usage=read.usage,
            evidence=self._evidence(read, complete),
            finish_reason=self._finish_reason,
            tool_calls=tuple(name for _, name in sorted(self._tools.items(), key=lambda entry: entry[0][:2])),
            server_tool_calls=stated_server_tools(self._usage) or self._server_tools.counts,
            service_tier=(tier_of(self._head, tier) if self._head else tier) or self._requested_tier,
            reported_cost_usd=self._header_cost if read.reported_cost_usd is None else read.reported_cost_usd,
            error=self._error,
            usage_by_model=tuple(self._parts()),
            remarks=(*read.remarks, "several_models") if len(self._breakdown) > 1 else read.remarks,
        )

    def _parts(self) -> Iterator[ExtraUsage]:
        for one in self._breakdown[:MAX_TOOL_CALLS]:
            model = word(get(one, "model"))
            read = read_usage(mapping(get(one, "usage")), provider=self._provider, model=model)
            if model and read.stated:
                yield ExtraUsage(kind="part", model=model, usage=read.usage)

    def _evidence(self, read: UsageReading, complete: bool) -> Evidence:
        if read.stated:
            return Evidence.REPORTED if self._usage_final or complete else Evidence.PARTIAL
        # An error inside a 200 comes after work was done: Azure evaluates the prompt that its filter refuses.
        return evidence_without_usage(self._status, served=not self._pending and self._status != 202)


def _from_timings(timings: Json) -> Json:
    """llama.cpp's server says with every end how much it read, took from its cache and wrote, also in a stream that was not asked for usage."""
    read, cached, written = (count(timings.get(name)) for name in ("prompt_n", "cache_n", "predicted_n"))
    if read is None or cached is None or written is None:
        return {}
    return {
        "prompt_tokens": read + cached,
        "completion_tokens": written,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
