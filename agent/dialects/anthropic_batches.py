"""
Batches of Anthropic: ``POST /v1/messages/batches``, polled with ``GET …/{id}``; their results, ``GET …/{id}/results``.

Reference: https://docs.anthropic.com/en/api/creating-message-batches
The batch itself states no usage; each line of its results has a message with its own.  Results can be fetched any number of times.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.anthropic_messages import message_usage
from agent.dialects.batch_sum import BatchSum
from agent.dialects.reader import Reader
from agent.dialects.values import Json, get, items, mapping, word
from agent.model import RequestHead

_CREATE = re.compile(r"/v1/messages/batches(?:/[^/]+/cancel)?$")
_POLL = re.compile(r"/v1/messages/batches/[^/]+$")
_RESULTS = re.compile(r"/v1/messages/batches/([^/]+)/results$")


class AnthropicBatches(Reader):
    api: ClassVar[str] = "anthropic/batches"
    operation: ClassVar[str] = "batch"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        pattern = {"POST": _CREATE, "GET": _POLL}.get(request.method)
        return pattern is not None and pattern.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.pending = True
        self.tier = "batch"

    def _ask(self, asked: Json) -> None:
        """Each request in it has a model of its own."""

    def _take(self, answer: Json) -> None:
        self.response_id = word(answer.get("id"))
        self.finish_reason = word(answer.get("processing_status"))


class AnthropicBatchResults(Reader):
    api: ClassVar[str] = "anthropic/batch_results"
    operation: ClassVar[str] = "batch"
    lines_are_streams: ClassVar[bool] = True
    streams: ClassVar[bool | None] = False

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return request.method == "GET" and _RESULTS.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        found = _RESULTS.search(request.path)
        self.object_ids = (found[1],) if found else ()
        self.remarks.append("polled")
        self._sum = BatchSum()

    def _take(self, answer: Json) -> None:
        message = mapping(get(answer, "result", "message"))
        usage = mapping(message.get("usage"))
        if not usage:
            return
        self.response_id = self.response_id or word(message.get("id"))
        self.tier = word(usage.get("service_tier")) or "batch"
        for block in items(message.get("content")):
            if get(block, "type") == "tool_use":
                self._call_tool(get(block, "name"))
        self._sum.add(word(message.get("model")), message_usage(usage, self.remarks))

    def _end(self, *, complete: bool) -> None:
        if self._sum.answers:
            self.usage, self.served_model, self.extra = self._sum.usage, self._sum.model, self._sum.others
            self.final = complete
