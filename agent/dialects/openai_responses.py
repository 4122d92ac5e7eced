"""
OpenAI Responses: ``POST …/responses``, also polled (``GET …/responses/{id}``) and compacted.

Reference: https://platform.openai.com/docs/api-reference/responses
A stream repeats the whole answer in its last event, and only that one has usage.  A background answer is ``queued`` first; who
polls it sees its usage every time, under the same id.
"""

from __future__ import annotations

import re
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
from agent.dialects.openai_usage import read_usage
from agent.dialects.values import Json, count, error_word, get, items, last_object, mapping, parse, word
from agent.model import Evidence, ExtraUsage, Reading, RequestHead, ResponseHead, StreamItem, Usage

_CREATE = re.compile(r"/responses(?:/compact)?$")
# ``resp_…``, or long as xAI's UUIDs, so that other people's ``/surveys/7/responses/12`` is none.
_POLL = re.compile(r"/responses/(?:resp_[A-Za-z0-9_-]{1,256}|[A-Za-z0-9_-]{16,256})$")
_FINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_ERRORS = frozenset({"error", "response.error"})
_WANTED = (
    _FINAL | _ERRORS | {"response.created", "response.queued", "response.in_progress", "response.output_item.done"}
)
_UNFINISHED = ("queued", "in_progress")
_SERVER_TOOLS = frozenset(
    {
        "web_search_call",
        "x_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "mcp_call",
        "collections_search_call",
    }
)


class OpenAiResponses:
    api: ClassVar[str] = "openai/responses"
    arrays_are_streams: ClassVar[bool] = False
    lines_are_streams: ClassVar[bool] = False

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        if request.method == "POST":
            return _CREATE.search(request.path) is not None
        return request.method == "GET" and _POLL.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        self._provider = provider
        self._polled = request.method == "GET"
        self._requested_model = self._requested_tier = ""
        self._status = 0
        self._header_cost: Decimal | None = None
        self._head: ResponseHead | None = None
        self._answer: Json = {}
        self._final = False
        self._tools: list[str] = []
        self._server_tools = Tally()
        self._error = ""
        self._partial_usage: Json = {}
        self._partial_model = ""

    def request_body(self, body: bytes, complete: bool) -> None:
        self._requested_model, self._requested_tier = request_fields(body, complete)

    def response_head(self, head: ResponseHead) -> None:
        self._status = head.status
        self._header_cost = header_cost(head)
        self._head = head

    def document(self, body: bytes, complete: bool) -> None:
        answer = parse(body)
        if isinstance(answer, dict):
            self._answer = answer
            self._final = True
            if self._status >= 400 and not answer.get("error"):
                self._error = error_word(answer)
        elif not complete:
            self._partial_usage = last_object(body, b"usage")
            self._partial_model = model_in_part(body)

    def item(self, item: StreamItem) -> None:
        kind = item.name
        if kind and kind not in _WANTED and kind.startswith("response."):
            return
        event: Json = {}
        if not kind.startswith("response."):
            # Bedrock names no events; the type stands in the data, first or last, and a delta says so there.
            data = item.data
            if b'.delta"' in data[:96] or data.endswith(b'.delta"}'):
                return
            event = mapping(parse(data))
            if kind not in _ERRORS:
                kind = word(event.get("type"))
            if kind not in _WANTED:
                return
        if kind == "response.in_progress" and self._answer:
            return  # says what response.created said
        self._take(kind, event or mapping(parse(item.data)))

    def _take(self, kind: str, event: Json) -> None:
        if kind == "response.output_item.done":
            self._take_tool(event.get("item"))
        elif kind in _ERRORS:
            self._error = error_word(event.get("error") or event) or "error"
        else:
            answer = event.get("response")
            if isinstance(answer, dict) and not (self._final and kind not in _FINAL):
                self._answer = answer
                self._final = kind in _FINAL

    def _take_tool(self, item: object) -> None:
        kind, name = word(get(item, "type")), word(get(item, "name"))
        if kind == "custom_tool_call" and self._provider == "x_ai":
            self._server_tools.add(name)  # xAI's own searches of X; customers' tools are functions there
        elif kind in ("function_call", "custom_tool_call"):
            if name and len(self._tools) < MAX_TOOL_CALLS:
                self._tools.append(name)
        elif kind in _SERVER_TOOLS:
            self._server_tools.add(kind.removesuffix("_call"))

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        answer = self._answer
        output = items(answer.get("output"))
        if self._final and output:
            # The whole answer again: what the stream said piece by piece is in it.
            self._tools, self._server_tools = [], Tally()
            for item in output:
                self._take_tool(item)
        usage = mapping(answer.get("usage")) or self._partial_usage
        model = word(answer.get("model")) or self._partial_model
        read = read_usage(usage, provider=self._provider, model=model or self._requested_model)
        status = word(answer.get("status"))
        error = self._error or (error_word(answer["error"]) if answer.get("error") else "")
        if read.stated:
            evidence = Evidence.REPORTED if self._final else Evidence.PARTIAL
        elif status in _UNFINISHED and self._final:
            evidence = Evidence.NOT_APPLICABLE
        else:
            evidence = evidence_without_usage(self._status, served=not error)
        remarks = (*read.remarks, "polled") if self._polled else read.remarks
        tier = word(answer.get("service_tier"))
        return Reading(
            operation="chat",
            requested_model=self._requested_model,
            served_model=model,
            response_id=word(answer.get("id")),
            streaming=streaming,
            usage=read.usage,
            extra_usage=_images(answer),
            evidence=evidence,
            finish_reason=word(get(answer, "incomplete_details", "reason")) or status,
            tool_calls=tuple(self._tools),
            server_tool_calls=self._server_tools.counts or stated_server_tools(usage),
            service_tier=(tier_of(self._head, tier) if self._head else tier) or self._requested_tier,
            reported_cost_usd=self._header_cost if read.reported_cost_usd is None else read.reported_cost_usd,
            error=error,
            remarks=remarks,
        )


def _images(answer: Json) -> tuple[ExtraUsage, ...]:
    """Image generation inside an answer has tokens of its own, of a model of its own, outside ``usage``."""
    usage = mapping(get(answer, "tool_usage", "image_gen"))
    taken = count(usage.get("input_tokens"))
    made = count(usage.get("output_tokens"))
    if not taken and not made:
        return ()
    into, out = mapping(usage.get("input_tokens_details")), mapping(usage.get("output_tokens_details"))
    model = next(
        (word(get(tool, "model")) for tool in items(answer.get("tools")) if get(tool, "type") == "image_generation"), ""
    )
    return (
        ExtraUsage(
            kind="image_generation",
            model=model or "gpt-image-1",  # the tool's documented default
            usage=Usage(
                input_tokens=taken,
                output_tokens=made,
                image_input_tokens=count(into.get("image_tokens")),
                image_output_tokens=count(out.get("image_tokens")) or made,
            ),
        ),
    )
