"""
Bedrock Converse: ``POST /model/{id}/converse`` and ``…/converse-stream``.

Reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
``inputTokens`` excludes cache reads and writes.  A stream states usage in its ``metadata`` event, behind ``messageStop``.  The served
model is not named.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.bedrock_usage import converse_usage, guardrail_units
from agent.dialects.paths import method_in_path, name_in_path
from agent.dialects.reader import Reader
from agent.dialects.values import Json, get, items, last_object, mapping, word
from agent.model import RequestHead, ResponseHead

_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream)$")


class BedrockConverse(Reader):
    api: ClassVar[str] = "bedrock/converse"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return method_in_path(_PATH, request) == "converse"

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self.requested_model = name_in_path(_PATH, request)

    def _ask(self, asked: Json) -> None:
        self.requested_tier = word(get(asked, "serviceTier", "type"))

    def response_head(self, head: ResponseHead) -> None:
        super().response_head(head)
        if head.status >= 400:
            # "ValidationException:http://internal.amazon.com/…"
            self.error = word(head.headers.get("x-amzn-errortype", "").partition(":")[0])

    def _error_in(self, answer: Json) -> None:
        if not self.error:
            super()._error_in(answer)

    def _take(self, answer: Json) -> None:
        self.finish_reason = word(answer.get("stopReason")) or self.finish_reason
        for block in items(get(answer, "output", "message", "content")):
            self._call_tool(get(block, "toolUse", "name"))
        self._metadata(answer)

    def _take_item(self, name: str, answer: Json) -> None:
        if name == "contentBlockStart":
            self._call_tool(get(answer, "start", "toolUse", "name"))
        elif name == "messageStop":
            self.finish_reason = word(answer.get("stopReason"))
        elif name == "metadata":
            self._metadata(answer)
            self.final = True

    def _metadata(self, answer: Json) -> None:
        usage = mapping(answer.get("usage"))
        if usage:
            self.usage = converse_usage(usage, self.remarks)
        self.extra += guardrail_units(get(answer, "trace", "guardrail"))
        self.tier = word(get(answer, "serviceTier", "type")) or self.tier
        # A prompt router says which model it chose.
        self.served_model = word(get(answer, "trace", "promptRouter", "invokedModelId")) or self.served_model
        self.variant = word(get(answer, "performanceConfig", "latency"))

    def _take_part(self, body: bytes) -> None:
        # A guardrail's trace has a usage of its own, and stands before this one.
        usage = last_object(body, b"usage")
        if "inputTokens" in usage:
            self.usage = converse_usage(usage, self.remarks)


class BedrockConverseStream(BedrockConverse):
    api: ClassVar[str] = "bedrock/converse-stream"
    _telling: ClassVar[re.Pattern[bytes]] = re.compile(rb'"(?:usage|stopReason|toolUse)"')

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return method_in_path(_PATH, request) == "converse-stream"
