"""
OpenAI Responses: ``POST …/responses``, also polled (``GET …/responses/{id}``) and compacted.

Reference: https://platform.openai.com/docs/api-reference/responses
A stream repeats the whole answer in its last event, and only that one has usage.  A background answer is ``queued`` first; who
polls it sees its usage every time, under the same id.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agent.dialects.openai_chat import MAX_TOOL_CALLS, evidence_without_usage, model_in_part
from agent.dialects.openai_usage import read_usage
from agent.dialects.values import Json, count, error_word, get, items, last_object, mapping, parse, usd, word
from agent.model import Evidence, ExtraUsage, Reading, RequestHead, ResponseHead, StreamItem, Usage

_CREATE = re.compile(r"/responses(?:/compact)?$")
_POLL = re.compile(r"/responses/[^/]+$")
_FINAL = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_WANTED = frozenset(
    {"response.created", "response.queued", "response.output_item.done", "error", "response.error", *_FINAL}
)
_TYPE = re.compile(rb'"type"\s*:\s*"([a-z_.]{1,64})"')
_UNFINISHED = ("queued", "in_progress")


class OpenAiResponses:
    api: ClassVar[str] = "openai/responses"
    arrays_are_streams: ClassVar[bool] = False

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        if request.method == "POST":
            return _CREATE.search(request.path) is not None
        return request.method == "GET" and _POLL.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        self._provider = provider
        self._requested_model = self._requested_tier = ""
        self._status = 0
        self._header_cost = ""
        self._answer: Json = {}
        self._final = False
        self._tools: list[str] = []
        self._error = ""
        self._partial_usage: Json = {}

    def request_body(self, body: bytes, complete: bool) -> None:
        request = parse(body) if complete else None
        if isinstance(request, dict):
            self._requested_model = word(request.get("model"))
            self._requested_tier = word(request.get("service_tier"))
        elif not complete:
            self._requested_model = model_in_part(body)

    def response_head(self, head: ResponseHead) -> None:
        self._status = head.status
        self._header_cost = head.headers.get("x-litellm-response-cost", "")

    def document(self, body: bytes, complete: bool) -> None:
        answer = parse(body)
        if isinstance(answer, dict):
            self._answer = answer
            self._final = True
        elif not complete:
            self._partial_usage = last_object(body, b"usage")

    def item(self, item: StreamItem) -> None:
        kind = item.name
        if not kind:
            found = _TYPE.search(item.data, 0, 256)
            kind = found[1].decode() if found else ""
        if kind not in _WANTED:
            return
        event = mapping(parse(item.data))
        if kind == "response.output_item.done":
            self._take_tool(event.get("item"))
        elif kind in ("error", "response.error"):
            self._error = error_word(event.get("error") or event) or "error"
        else:
            answer = event.get("response")
            if isinstance(answer, dict):
                self._answer = answer
                self._final = kind in _FINAL

    def _take_tool(self, item: object) -> None:
        if get(item, "type") in ("function_call", "custom_tool_call") and len(self._tools) < MAX_TOOL_CALLS:
            self._tools.append(word(get(item, "name")))

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        answer = self._answer
        output = items(answer.get("output"))
        if self._final and output:
            self._tools = []
            for item in output:
                self._take_tool(item)
        usage = mapping(answer.get("usage")) or self._partial_usage
        model = word(answer.get("model"))
        read = read_usage(usage, provider=self._provider, model=model or self._requested_model)
        status = word(answer.get("status"))
        error = self._error or (error_word(answer["error"]) if answer.get("error") else "")
        if read.stated:
            evidence = Evidence.REPORTED if self._final else Evidence.PARTIAL
        elif status in _UNFINISHED and self._final:
            evidence = Evidence.NOT_APPLICABLE
        else:
            evidence = evidence_without_usage(self._status, served=not error)
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
            server_tool_calls=_server_tools(output),
            service_tier=word(answer.get("service_tier")) or self._requested_tier,
            reported_cost_usd=read.reported_cost_usd if read.reported_cost_usd is not None else usd(self._header_cost),
            error=error,
            remarks=read.remarks,
        )


_SERVER_TOOLS = frozenset(
    {"web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call"}
)


def _server_tools(output: list[object]) -> dict[str, int]:
    calls: dict[str, int] = {}
    for item in output:
        kind = word(get(item, "type"))
        if kind in _SERVER_TOOLS:
            calls[kind] = calls.get(kind, 0) + 1
    return calls


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
