"""
Gemini's interactions: ``POST …/interactions``, polled with ``GET …/interactions/{id}``.

Reference: https://ai.google.dev/api/interactions-api
The total is input, output, thoughts and tool use added up: none is inside another.  A stream states usage with its last event.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.openai_usage import part
from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, items, last_object, mapping, word
from agent.model import RequestHead, Usage

_CREATE = re.compile(r"/v1(?:beta|alpha)?/interactions$")
_POLL = re.compile(r"/v1(?:beta|alpha)?/interactions/[A-Za-z0-9_-]+$")
_UNFINISHED = frozenset({"in_progress", "queued", "IN_PROGRESS"})
_SERVER_TOOLS = re.compile(r"^(google_search|code_execution|url_context|file_search|mcp_server_tool|google_maps)_call$")


class GeminiInteractions(Reader):
    api: ClassVar[str] = "gemini/interactions"
    operation: ClassVar[str] = "generate_content"
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"(?:usage|interaction|function_call|[a-z_]+_call|error)"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        pattern = {"POST": _CREATE, "GET": _POLL}.get(request.method)
        return (
            pattern is not None and request.host.endswith("googleapis.com") and pattern.search(request.path) is not None
        )

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        if request.method == "GET":
            self.remarks.append("polled")

    def _ask(self, asked: Json) -> None:
        self.requested_model = word(asked.get("model")) or word(asked.get("agent"))

    def _take(self, answer: Json) -> None:
        status = word(answer.get("status"))
        self.response_id = word(answer.get("id")) or self.response_id
        self.served_model = word(answer.get("model")) or self.served_model
        self.finish_reason = status or self.finish_reason
        self.pending = status in _UNFINISHED
        for output in items(answer.get("outputs")) or items(answer.get("steps")):
            self._take_output(output)
        self._take_usage(mapping(answer.get("usage")))

    def _take_item(self, name: str, answer: Json) -> None:
        if isinstance(answer.get("interaction"), dict):
            self._take(mapping(answer["interaction"]))
        self._take_output(answer.get("delta") or answer.get("content") or answer.get("step"))
        usage = mapping(answer.get("usage"))
        if usage:
            self._take_usage(usage)

    def _take_output(self, output: object) -> None:
        kind = word(get(output, "type"))
        if kind == "function_call":
            self._call_tool(get(output, "name"))
        found = _SERVER_TOOLS.match(kind)
        if found:
            self.server_tools.add(found[1])

    def _take_part(self, body: bytes) -> None:
        self._take_usage(last_object(body, b"usage"))

    def _take_usage(self, usage: Json) -> None:
        taken, made = count(usage.get("total_input_tokens")), count(usage.get("total_output_tokens"))
        if taken is None and made is None:
            return
        tools, thoughts = count(usage.get("total_tool_use_tokens")), count(usage.get("total_thought_tokens"))
        whole = (taken or 0) + (tools or 0)
        self.final = not self.pending
        self.usage = Usage(
            input_tokens=whole,
            output_tokens=(made or 0) + (thoughts or 0),
            cache_read_input_tokens=part(
                count(usage.get("total_cached_tokens")), whole, "cached_exceeds_input", self.remarks
            ),
            reasoning_output_tokens=thoughts,
            tool_use_input_tokens=tools,
            audio_input_tokens=_modality(usage, "input", "audio"),
            image_input_tokens=_modality(usage, "input", "image"),
            video_input_tokens=_modality(usage, "input", "video"),
            audio_output_tokens=_modality(usage, "output", "audio"),
            image_output_tokens=_modality(usage, "output", "image"),
        )


def _modality(usage: Json, side: str, modality: str) -> int | None:
    found = [
        count(get(detail, "tokens")) or 0
        for detail in items(usage.get(f"{side}_tokens_by_modality"))
        if get(detail, "modality") == modality
    ]
    return sum(found) if found else None
