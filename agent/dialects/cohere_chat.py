"""
Cohere's chat: ``POST /v2/chat`` and ``POST /v1/chat``.

Reference: https://docs.cohere.com/reference/chat, https://docs.cohere.com/v1/reference/chat
``billed_units`` is what is paid; ``tokens`` counts the preamble too, and so does ``cached_tokens``: neither is used.  Version 1 streams
JSON lines, version 2 events; both state usage in their last one.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.reader import Reader
from agent.dialects.values import Json, count, get, items, last_object, mapping, word
from agent.model import RequestHead

# The paths are anybody's, so the host must be theirs, or one of Azure's that serve their models.
_HOSTS = ("cohere.com", "cohere.ai", ".models.ai.azure.com", ".services.ai.azure.com", ".inference.ai.azure.com")


def of_cohere(request: RequestHead, path: str) -> bool:
    """``path`` is its end, without the version."""
    return request.method == "POST" and request.path.endswith(path) and request.host.endswith(_HOSTS)


class _CohereChat(Reader):
    def _ask(self, asked: Json) -> None:
        self.requested_model = word(asked.get("model"))

    def _bill(self, usage: object) -> None:
        units = mapping(get(usage, "billed_units"))
        self._count(
            input_tokens=count(units.get("input_tokens")),
            output_tokens=count(units.get("output_tokens")),
            image_input_tokens=count(units.get("image_tokens")),
            search_units=count(units.get("search_units")) or None,
        )
        for name in ("input_tokens", "output_tokens"):
            raw = count(get(usage, "tokens", name))
            billed = count(units.get(name))
            if raw is not None and billed is not None and billed > raw:
                self.remarks.append("billed_exceeds_counted")

    def _take_part(self, body: bytes) -> None:
        self._bill({"billed_units": last_object(body, b"billed_units")})


class CohereChatV2(_CohereChat):
    api: ClassVar[str] = "cohere/chat-v2"
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"(?:message-end|tool-call-start|error)"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return of_cohere(request, "/v2/chat")

    def _take(self, answer: Json) -> None:
        self.response_id = self.response_id or word(answer.get("id"))
        self.finish_reason = word(answer.get("finish_reason"))
        self._take_tools(get(answer, "message", "tool_calls"))
        self._bill(answer.get("usage"))

    def _take_item(self, name: str, answer: Json) -> None:
        self.response_id = self.response_id or word(answer.get("id"))
        kind = answer.get("type")
        if kind == "tool-call-start":
            self._take_tools(get(answer, "delta", "message", "tool_calls"))
        elif kind == "message-end":
            self.finish_reason = word(get(answer, "delta", "finish_reason"))
            self._bill(get(answer, "delta", "usage"))
            self.final = True

    def _take_tools(self, calls: object) -> None:
        for call in items(calls) or [calls]:
            self._call_tool(get(call, "function", "name"))


class CohereChatV1(_CohereChat):
    api: ClassVar[str] = "cohere/chat-v1"
    lines_are_streams: ClassVar[bool] = True
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"stream-end"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return of_cohere(request, "/v1/chat")

    def _take(self, answer: Json) -> None:
        self.response_id = self.response_id or word(answer.get("response_id"))
        self.finish_reason = word(answer.get("finish_reason")) or self.finish_reason
        for call in items(answer.get("tool_calls")):
            self._call_tool(get(call, "name"))
        self._bill(answer.get("meta"))

    def _take_item(self, name: str, answer: Json) -> None:
        if answer.get("event_type") == "stream-end":
            self._take(mapping(answer.get("response")))
            self.finish_reason = word(answer.get("finish_reason")) or self.finish_reason
            self.final = True
