"""
Bedrock InvokeModel: ``POST /model/{id}/invoke`` and ``…/invoke-with-response-stream``.

Reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
The body is the vendor's own, and some vendors' say nothing of usage; so AWS counts, in headers, or in a stream's last chunk
(``amazon-bedrock-invocationMetrics``).  AWS's input excludes cache reads and writes, whatever the vendor's includes.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import ClassVar

from agent.dialects.bedrock_usage import guardrail_units
from agent.dialects.paths import method_in_path, name_in_path
from agent.dialects.reader import Reader, header_count
from agent.dialects.values import Json, count, get, items, mapping, word
from agent.model import RequestHead, ResponseHead, StreamItem

_PATH = re.compile(r"/model/([^/]+)/(invoke|invoke-with-response-stream)$")
_HEADER = "x-amzn-bedrock-"
_BYTES = b'"bytes":"'
# What the vendors call them: Anthropic and AI21's newer models; Amazon's Nova; OpenAI's shape; Meta's Llama; Titan.
_INPUTS = ("input_tokens", "inputTokens", "prompt_tokens")
_OUTPUTS = ("output_tokens", "outputTokens", "completion_tokens")
_READS = ("cache_read_input_tokens", "cacheReadInputTokenCount", "cacheReadInputTokens")
_WRITES = ("cache_creation_input_tokens", "cacheWriteInputTokenCount", "cacheWriteInputTokens")
_REASONS = ("stop_reason", "stopReason", "finish_reason", "completionReason")


class BedrockInvoke(Reader):
    api: ClassVar[str] = "bedrock/invoke"
    operation: ClassVar[str] = "chat"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return method_in_path(_PATH, request) == "invoke"

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.requested_model = name_in_path(_PATH, request)
        self._fresh: int | None = None
        self._made: int | None = None
        self._read: int | None = None
        self._written: int | None = None
        self._hour: int | None = None
        self._counted_by_aws = False
        self._inclusive = False
        """OpenAI's shape: its input count holds what the cache gave."""

    def response_head(self, head: ResponseHead) -> None:
        super().response_head(head)
        self.tier = word(head.headers.get(_HEADER + "service-tier"))
        fresh = header_count(self.headers, _HEADER + "input-token-count")
        made = header_count(self.headers, _HEADER + "output-token-count")
        if fresh is not None or made is not None:
            self._counted_by_aws = True
            self._fresh, self._made = fresh, made
            self._read = header_count(self.headers, _HEADER + "cache-read-input-token-count")
            self._written = header_count(self.headers, _HEADER + "cache-write-input-token-count")
            # What was written to the cache may be of two prices, and only the body says of which.
            self.final = not self._written

    def item(self, item: StreamItem) -> None:
        if item.name != "chunk":
            super().item(item)
            return
        chunk = vendor_chunk(item.data)
        if chunk:
            super().item(StreamItem("", chunk))

    def _take(self, answer: Json) -> None:
        event = mapping(answer.get("message")) if answer.get("type") == "message_start" else answer
        self.response_id = self.response_id or word(event.get("id"))
        self.served_model = self.served_model or word(event.get("model"))
        self._take_usage(mapping(event.get("usage")) or mapping(get(answer, "metadata", "usage")))
        self._take_counts(answer)
        self._take_reason(answer)
        for block in (*items(answer.get("content")), answer.get("content_block")):
            if get(block, "type") == "tool_use":
                self._call_tool(get(block, "name"))
        for block in items(get(answer, "output", "message", "content")):
            self._call_tool(get(block, "toolUse", "name"))
        self._call_tool(get(answer, "contentBlockStart", "start", "toolUse", "name"))
        for choice in items(answer.get("choices")):
            for call in items(get(choice, "message", "tool_calls")):
                self._call_tool(get(call, "function", "name"))
        self.extra += guardrail_units(get(answer, "amazon-bedrock-trace", "guardrail"))
        metrics = mapping(answer.get("amazon-bedrock-invocationMetrics"))
        if metrics:
            self._counted_by_aws = self.final = True
            self._fresh, self._made = count(metrics.get("inputTokenCount")), count(metrics.get("outputTokenCount"))
            self._read = count(metrics.get("cacheReadInputTokenCount"))
            self._written = count(metrics.get("cacheWriteInputTokenCount"))

    def _take_usage(self, usage: Json) -> None:
        """A vendor's own object.  In Anthropic's streams a later one replaces an earlier one, field by field."""
        if not usage or self._counted_by_aws:
            self._hour = self._hour if self._hour is not None else _hour(usage)
            return
        self._fresh = _first(usage, _INPUTS, self._fresh)
        self._made = _first(usage, _OUTPUTS, self._made)
        self._read = _first(usage, _READS, self._read)
        self._written = _first(usage, _WRITES, self._written)
        self._hour = _hour(usage) if _hour(usage) is not None else self._hour
        if "prompt_tokens" in usage:
            self._inclusive = True
            self._read = count(get(usage, "prompt_tokens_details", "cached_tokens"))

    def _take_counts(self, answer: Json) -> None:
        """Counters at the top: Titan's, Llama's."""
        if self._counted_by_aws:
            return
        for name in ("inputTextTokenCount", "prompt_token_count"):
            self._fresh = _first(answer, (name,), self._fresh)
        self._made = _first(answer, ("generation_token_count",), self._made)
        # Without a reason it counts the words of a guardrail, which are no model's.
        if answer.get("completionReason"):
            self._made = _first(answer, ("totalOutputTextTokenCount",), self._made)
        results = [
            made for result in items(answer.get("results")) if (made := count(get(result, "tokenCount"))) is not None
        ]
        if results:
            self._made = sum(results)

    def _take_reason(self, answer: Json) -> None:
        places = (
            answer,
            answer.get("delta"),
            answer.get("messageStop"),
            *(
                next(iter(items(answer.get(name))), None)
                for name in ("results", "generations", "outputs", "choices", "completions")
            ),
        )
        for place in places:
            for name in _REASONS:
                self.finish_reason = word(get(place, name)) or self.finish_reason

    def _end(self, *, complete: bool) -> None:
        if self._fresh is None and self._made is None:
            return
        cached = 0 if self._inclusive and not self._counted_by_aws else (self._read or 0) + (self._written or 0)
        hour = min(self._hour or 0, self._written or 0) or None
        self._count(
            input_tokens=None if self._fresh is None else self._fresh + cached,
            output_tokens=self._made,
            cache_read_input_tokens=self._read,
            cache_write_input_tokens=self._written,
            cache_write_1h_input_tokens=hour,
        )


class BedrockInvokeStream(BedrockInvoke):
    api: ClassVar[str] = "bedrock/invoke-stream"
    # What a vendor's chunk must have to be parsed.
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(
        rb'"(?:usage"|amazon-bedrock-inv|stop_reason"(?!:null)|stopReason"|finish_reason"(?!:null)|completionReason"(?!:null)'
        rb'|toolUse"|tool_use"|inputTextTokenCount"|error")'
    )

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return method_in_path(_PATH, request) == "invoke-with-response-stream"


def vendor_chunk(data: bytes) -> bytes:
    """What the vendor sent, out of AWS's wrapping of a stream's chunk; b"" where that is not one."""
    try:
        # Base64 has no quotes, so where the string ends is found without parsing.
        start = data.index(_BYTES) + len(_BYTES)
        return base64.b64decode(data[start : data.index(b'"', start)])
    except (binascii.Error, ValueError):
        return b""


def _first(values: Json, names: tuple[str, ...], otherwise: int | None) -> int | None:
    return next((found for name in names if (found := count(values.get(name))) is not None), otherwise)


def _hour(usage: Json) -> int | None:
    return count(get(usage, "cache_creation", "ephemeral_1h_input_tokens"))
