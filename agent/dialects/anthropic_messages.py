"""
Anthropic messages: ``POST /v1/messages``; the same body on Vertex (``rawPredict``).

Reference: https://docs.anthropic.com/en/api/messages
``input_tokens`` excludes cached tokens, so we add them up: our Usage counts all input.  In a stream ``message_start`` holds a
provisional count, which ``message_delta`` replaces field by field, also by smaller values.  ``iterations`` of other types than
``message`` are billed on top, perhaps as another model.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import ClassVar

from agent.dialects.answers import (
    MAX_TOOL_CALLS,
    Tally,
    evidence_without_usage,
    gateway_cost,
    header_cost,
    model_in_part,
    request_fields,
    stated_server_tools,
)
from agent.dialects.openai_usage import part
from agent.dialects.paths import name_in_path
from agent.dialects.values import Json, count, error_word, get, items, last_object, mapping, parse, word
from agent.model import Evidence, ExtraUsage, Reading, RequestHead, ResponseHead, StreamItem, Usage

_PATH = re.compile(r"/v1/messages$|/publishers/anthropic/models/([^/:]+):(?:stream)?rawPredict$", re.IGNORECASE)
_SKIPPED = (b'{"type":"content_block_delta"', b'{"type": "content_block_delta"', b'{"type":"ping"', b'{"type": "ping"')


class AnthropicMessages:
    api: ClassVar[str] = "anthropic/messages"
    arrays_are_streams: ClassVar[bool] = False
    lines_are_streams: ClassVar[bool] = False

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "POST" and _PATH.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        self._path_model = name_in_path(_PATH, request)
        self._requested_model = self._requested_tier = ""
        self._status = 0
        self._header_cost: Decimal | None = None
        self._message: Json = {}
        self._usage: Json = {}
        self._usage_final = False
        self._finish_reason = ""
        self._tools: list[str] = []
        self._server_tools = Tally()
        self._error = ""

    def request_body(self, body: bytes, complete: bool) -> None:
        self._requested_model, self._requested_tier = request_fields(body, complete)

    def response_head(self, head: ResponseHead) -> None:
        self._status = head.status
        self._header_cost = header_cost(head)

    def document(self, body: bytes, complete: bool) -> None:
        message = parse(body)
        if not isinstance(message, dict):
            if not complete:
                self._message = {"model": model_in_part(body[:1024])}
                self._usage = last_object(body, b"usage")
            return
        if message.get("type") == "error" or "error" in message:
            self._error = error_word(message.get("error"))
            return
        self._message = message
        self._finish_reason = word(message.get("stop_reason"))
        self._usage = mapping(message.get("usage"))
        self._usage_final = bool(self._usage)
        for block in items(message.get("content")):
            self._take_block(block)

    def item(self, item: StreamItem) -> None:
        if item.name in ("content_block_delta", "ping", "content_block_stop") or item.data.startswith(_SKIPPED):
            return
        event = mapping(parse(item.data))
        match event.get("type"):
            case "message_start":
                self._message = mapping(event.get("message"))
                self._usage = dict(mapping(self._message.get("usage")))
            case "content_block_start":
                self._take_block(event.get("content_block"))
            case "message_delta":
                stated = {key: value for key, value in mapping(event.get("usage")).items() if value is not None}
                self._usage = {**self._usage, **stated}
                self._usage_final = self._usage_final or bool(stated)
                self._finish_reason = word(get(event, "delta", "stop_reason")) or self._finish_reason
            case "error":
                self._error = error_word(event.get("error")) or "error"

    def _take_block(self, block: object) -> None:
        kind, name = get(block, "type"), word(get(block, "name"))
        if kind == "tool_use":
            if name and len(self._tools) < MAX_TOOL_CALLS:
                self._tools.append(name)
        elif kind in ("server_tool_use", "mcp_tool_use"):
            self._server_tools.add(name)

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        remarks: list[str] = []
        usage = message_usage(self._usage, remarks)
        gateway = gateway_cost(self._usage)
        if usage.input_tokens is not None or usage.output_tokens is not None:
            # Without its start the stream's split of cache writes, and of older servers all input, is not known.
            evidence = Evidence.REPORTED if self._usage_final and self._message else Evidence.PARTIAL
        else:
            evidence = evidence_without_usage(self._status, served=not self._error)
        return Reading(
            operation="chat",
            requested_model=self._requested_model or self._path_model,
            served_model=word(self._message.get("model")),
            response_id=word(self._message.get("id")),
            streaming=streaming,
            usage=usage,
            extra_usage=_iterations(self._usage, remarks),
            evidence=evidence,
            finish_reason=self._finish_reason,
            tool_calls=tuple(self._tools),
            server_tool_calls=stated_server_tools(self._usage) or self._server_tools.counts,
            service_tier=word(self._usage.get("service_tier")) or self._requested_tier,
            inference_geo=word(self._usage.get("inference_geo")),
            speed=word(self._usage.get("speed")),
            reported_cost_usd=self._header_cost if gateway is None else gateway,
            error=self._error,
            remarks=tuple(dict.fromkeys(remarks)),
        )


def message_usage(usage: Json, remarks: list[str]) -> Usage:
    fresh = count(usage.get("input_tokens"))
    read = count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    hour = count(get(usage, "cache_creation", "ephemeral_1h_input_tokens"))
    if written is None and (hour is not None or get(usage, "cache_creation", "ephemeral_5m_input_tokens") is not None):
        written = (hour or 0) + (count(get(usage, "cache_creation", "ephemeral_5m_input_tokens")) or 0)
    output = count(usage.get("output_tokens"))
    thought = count(get(usage, "output_tokens_details", "thinking_tokens"))
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=output,
        cache_read_input_tokens=read,
        cache_write_input_tokens=written,
        # Only message_start has the split; the final count of writes may be smaller.
        cache_write_1h_input_tokens=part(hour, written, "cache_write_1h_exceeds_cache_write", remarks),
        reasoning_output_tokens=part(thought, output, "reasoning_exceeds_output", remarks),
    )


def _iterations(usage: Json, remarks: list[str]) -> tuple[ExtraUsage, ...]:
    """Compaction, advisors, fallbacks: the top-level counts are those of the ``message`` iterations alone."""
    return tuple(
        ExtraUsage(
            kind=kind,
            model=word(get(iteration, "model")),
            usage=message_usage(mapping(iteration), remarks),
        )
        for iteration in items(usage.get("iterations"))[:MAX_TOOL_CALLS]
        if (kind := word(get(iteration, "type"))) not in ("", "message")
    )
