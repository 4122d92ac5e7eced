"""
xAI's chat over gRPC, as its own SDK calls it: ``/xai_api.Chat/GetCompletion`` and ``GetCompletionChunk``.

Reference: xai/api/v1/chat.proto and usage.proto, in https://github.com/xai-org/xai-proto
The fields that matter are put into the names that they have in xAI's JSON, and read where those are.  A stream states usage in every chunk,
growing; the last one counts.
"""

from __future__ import annotations

import json
import re
from typing import ClassVar

from agent.dialects.openai_chat import OpenAiChat
from agent.dialects.protobuf import Message
from agent.dialects.values import Json
from agent.model import Reading, RequestHead, StreamItem
from agent.protocol.grpc import messages

_PATH = re.compile(r"/xai_api\.Chat/(GetCompletion|GetCompletionChunk)$")
_REASONS = ("", "length", "length", "stop", "tool_calls", "time_limit")
# usage.proto, ServerSideTool → the names of the REST API's `server_side_tool_usage_details`.
_SERVER_TOOLS = {
    1: "web_search_calls",
    2: "x_search_calls",
    3: "code_interpreter_calls",
    4: "view_image_calls",
    5: "view_x_video_calls",
    6: "file_search_calls",
    7: "mcp_calls",
    8: "attachment_search_calls",
    10: "image_search_calls",
    11: "image_generation_calls",
}
_COUNTS = {"completion_tokens": 1, "prompt_tokens": 2, "total_tokens": 3}


class XaiGrpc(OpenAiChat):
    """One answer."""

    api: ClassVar[str] = "xai/GetCompletion"
    # Fields of the answer and of a chunk that have other numbers.
    MODEL: ClassVar[int] = 6
    _USAGE: ClassVar[int] = 9
    _TIER: ClassVar[int] = 15
    _MESSAGE: ClassVar[int] = 3
    _REASON: ClassVar[int] = 1
    _INDEX: ClassVar[int] = 2

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return (found := _PATH.search(request.path)) is not None and found[1] == "GetCompletion"

    def request_body(self, body: bytes, complete: bool) -> None:
        for message in messages(body):
            self._requested_model = Message(message).text(2) or self._requested_model
        del complete

    def item(self, item: StreamItem) -> None:
        answer = Message(item.data)
        shaped: Json = {
            "id": answer.text(1),
            "model": answer.text(self.MODEL),
            "choices": [self._choice(output) for output in answer.messages(2)],
        }
        if usage := answer.message(self._USAGE):
            shaped["usage"] = _usage(usage)
        if answer.number(self._TIER) == 2:
            shaped["service_tier"] = "priority"
        super().item(StreamItem("", json.dumps(shaped, separators=(",", ":")).encode()))

    def document(self, body: bytes, complete: bool) -> None:
        """gRPC has none."""

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        """A call with one answer is written as a stream of one message."""
        return super().reading(complete=complete, streaming=streaming and isinstance(self, XaiGrpcStream))

    def _choice(self, output: Message) -> Json:
        calls = output.message(self._MESSAGE).messages(3)
        reason = output.number(self._REASON) or 0
        return {
            "index": output.number(self._INDEX) or 0,
            "delta": {
                "tool_calls": [
                    # The server's own tools are counted in the usage.
                    {"index": index, "id": call.text(1), "function": {"name": call.message(10).text(1)}}
                    for index, call in enumerate(calls)
                    if (call.number(2) or 0) <= 1
                ]
            },
            "finish_reason": (_REASONS[reason] if reason < len(_REASONS) else str(reason)) or None,
        }


class XaiGrpcStream(XaiGrpc):
    api: ClassVar[str] = "xai/GetCompletionChunk"
    MODEL: ClassVar[int] = 4
    _USAGE: ClassVar[int] = 6
    _TIER: ClassVar[int] = 12
    _MESSAGE: ClassVar[int] = 1
    _REASON: ClassVar[int] = 3
    _INDEX: ClassVar[int] = 4

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return (found := _PATH.search(request.path)) is not None and found[1] == "GetCompletionChunk"


def _usage(usage: Message) -> Json:
    tools: dict[str, int] = {}
    for number in usage.numbers(9):
        name = _SERVER_TOOLS.get(number, f"tool_{number}_calls")
        tools[name] = tools.get(name, 0) + 1
    ticks = usage.number(11)
    return {
        **{name: usage.number(field) or 0 for name, field in _COUNTS.items()},
        "prompt_tokens_details": {"cached_tokens": usage.number(7) or 0, "image_tokens": usage.number(5) or 0},
        "completion_tokens_details": {"reasoning_tokens": usage.number(6) or 0},
        "num_sources_used": usage.number(8) or 0,
        **({"server_side_tool_usage_details": tools} if tools else {}),
        **({"cost_in_usd_ticks": ticks} if ticks else {}),
    }
