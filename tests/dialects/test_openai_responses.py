"""OpenAI Responses: finished and unfinished, streamed, polled, with tools."""

from __future__ import annotations

import json

import pytest

from agent.dialects.openai_responses import OpenAiResponses
from agent.model import Evidence, ResponseHead
from tests.dialects.helpers import counts, dialect_of, head, read

RESPONSES = ("/v1/responses", "api.openai.com")


def test_a_queued_answer_is_not_a_call_without_usage() -> None:
    """It is not finished: nothing is billed yet."""
    reading = read(*RESPONSES, answer={"id": "resp_1", "status": "queued", "model": "o3", "usage": None, "output": []})
    assert (reading.evidence, reading.response_id) == (Evidence.NOT_APPLICABLE, "resp_1")


def test_images_inside_responses_are_extra_usage() -> None:
    """They are outside ``usage``, of a model of their own."""
    answer = {
        "id": "r", "status": "completed", "model": "gpt-5", "output": [{"type": "image_generation_call"}, {"type": "function_call", "name": "f"}],
        "usage": {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}, "tools": [{"type": "image_generation", "model": "gpt-image-1.5"}],
        "tool_usage": {"image_gen": {"input_tokens": 50, "output_tokens": 1000, "total_tokens": 1050}},
    }  # fmt: skip
    reading = read(*RESPONSES, answer=answer)
    (extra,) = reading.extra_usage
    assert (extra.model, extra.usage.output_tokens, reading.tool_calls) == ("gpt-image-1.5", 1000, ("f",))


USAGE = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
ANSWER = {"id": "resp_1", "object": "response", "model": "gpt-5-2025-08-07", "status": "in_progress", "usage": None}
DONE = {**ANSWER, "status": "completed", "usage": USAGE}
FUNCTION = {"type": "function_call", "name": "f"}


def event(kind: str, **more: object) -> dict[str, object]:
    return {"type": kind, **more}


STREAM = [
    event("response.created", response=ANSWER),
    event("response.in_progress", response=ANSWER),
    event("response.output_item.added", item={"type": "function_call", "name": "f"}),
    event("response.function_call_arguments.delta", delta='{"type":"response.completed","usage":1}'),
    event("response.output_item.done", item=FUNCTION),
    event("response.output_item.done", item={"type": "web_search_call"}),
    event("response.completed", response={**DONE, "output": [FUNCTION, {"type": "web_search_call"}]}),
]


@pytest.mark.parametrize(
    ("method", "path", "taken"),
    [
        ("POST", "/v1/responses", True),
        ("POST", "/v1/responses/compact", True),
        ("POST", "/openai/v1/responses?api-version=preview", True),
        ("POST", "/api/v1/responses", True),
        ("GET", "/v1/responses/resp_68f0a1b2c3d4e5f6?stream=true&starting_after=4", True),
        ("GET", "/v1/responses/resp_1", True),
        ("GET", "/v1/responses/fc4f5647-1dfa-92f7-92cc-7b95bf9a0ae6", True),
        ("POST", "/v1/responses/input_tokens", False),
        ("POST", "/v1/responses/resp_68f0a1b2c3d4e5f6/cancel", False),
        ("GET", "/v1/responses/resp_68f0a1b2c3d4e5f6/input_items", False),
        ("DELETE", "/v1/responses/resp_68f0a1b2c3d4e5f6", False),
        ("GET", "/surveys/7/responses/12", False),
        ("GET", "/v1/responses", False),
    ],
)
def test_what_is_read(method: str, path: str, taken: bool) -> None:
    """Answers, also polled and compacted; counting tokens is free, and other people have responses too."""
    assert (dialect_of(head(path, "api.openai.com", method)) is OpenAiResponses) is taken


@pytest.mark.parametrize("names", [True, False])
def test_a_stream(names: bool) -> None:
    """Bedrock's has no event names: the type stands in the data."""
    reading = read(*RESPONSES, items=list(STREAM), names=names)
    assert (counts(reading), reading.evidence, reading.finish_reason) == ((9, 4), Evidence.REPORTED, "completed")
    assert (reading.response_id, reading.served_model) == ("resp_1", "gpt-5-2025-08-07")
    assert (reading.tool_calls, dict(reading.server_tool_calls)) == (("f",), {"web_search": 1})


def test_the_type_may_stand_last() -> None:
    """Keys in order of the alphabet; a model that talks of deltas is no delta."""
    last = event("response.completed", response={**DONE, "instructions": '"type":"x.delta"', "output": ["x.delta"]})
    items: list[object] = [json.dumps(item, sort_keys=True) for item in [*STREAM[:-1], last]]
    assert counts(read(*RESPONSES, items=items)) == (9, 4)


def test_every_cut_is_honest() -> None:
    """Only the last event has usage: before it the call is absent, and its tools are known."""
    for end in range(len(STREAM)):
        reading = read(*RESPONSES, items=STREAM[:end], complete=False)
        assert (counts(reading), reading.evidence) == ((None, None), Evidence.ABSENT), end
    assert (reading.tool_calls, dict(reading.server_tool_calls)) == (("f",), {"web_search": 1})


def test_a_last_event_that_repeats_no_output_keeps_what_was_streamed() -> None:
    """Some servers leave the output out of it."""
    items = [*STREAM[:-1], event("response.completed", response={**DONE, "output": []})]
    assert read(*RESPONSES, items=items).tool_calls == ("f",)


@pytest.mark.parametrize("kind", ["response.incomplete", "response.failed", "response.cancelled"])
def test_other_ends_have_usage_too(kind: str) -> None:
    """What was made before is billed."""
    last = {**DONE, "status": kind.removeprefix("response."), "incomplete_details": {"reason": "max_output_tokens"}}
    reading = read(*RESPONSES, items=[STREAM[0], event(kind, response=last)], names=True)
    assert (counts(reading), reading.evidence) == ((9, 4), Evidence.REPORTED)
    assert reading.finish_reason == "max_output_tokens"


@pytest.mark.parametrize(
    "item",
    [
        event("error", code="server_error", message="secret"),
        event("error", error={"type": "server_error", "message": "secret"}),
        event("response.error", error={"code": "server_error"}),
    ],
)
@pytest.mark.parametrize("names", [True, False])
def test_errors_inside_a_stream(item: dict[str, object], names: bool) -> None:
    """In all their shapes, and never with their message."""
    reading = read(*RESPONSES, items=[STREAM[0], item], names=names)
    assert reading.error == "server_error"
    assert "secret" not in repr(reading)


def test_a_poll_repeats_usage_and_says_so() -> None:
    """Under the same id: who adds up can leave it out."""
    request = head("/v1/responses/resp_68f0a1b2c3d4e5f6", "api.openai.com", "GET")
    dialect = OpenAiResponses(request, "openai")
    dialect.request_body(b"", True)
    dialect.response_head(ResponseHead(stream_id=1, status=200, headers={}))
    dialect.document(json.dumps(DONE).encode(), True)
    reading = dialect.reading(complete=True, streaming=False)
    assert (reading.remarks, reading.response_id, counts(reading)) == (("polled",), "resp_1", (9, 4))


def test_xais_searches_of_x_are_its_own() -> None:
    """They come as custom tool calls, which elsewhere are the application's."""
    output = [{"type": "custom_tool_call", "name": "x_keyword_search"}, FUNCTION]
    answer = {**DONE, "output": output}
    there = read("/v1/responses", "api.x.ai", answer=answer)
    here = read(*RESPONSES, answer=answer)
    assert (there.tool_calls, dict(there.server_tool_calls)) == (("f",), {"x_keyword_search": 1})
    assert (here.tool_calls, dict(here.server_tool_calls)) == (("x_keyword_search", "f"), {})


def test_half_a_document() -> None:
    """What came through is a lower bound."""
    body = json.dumps({**DONE, "output": []}).encode()
    reading = read(*RESPONSES, answer=body[:-5], complete=False)
    assert (counts(reading), reading.evidence, reading.served_model) == ((9, 4), Evidence.PARTIAL, "gpt-5-2025-08-07")


def test_images_have_a_default_model() -> None:
    """And what the tool made is image tokens, where it is not said otherwise; nothing made is nothing billed."""
    image = {"input_tokens": 50, "output_tokens": 1000, "input_tokens_details": {"image_tokens": 20}}
    (extra,) = read(*RESPONSES, answer={**DONE, "tool_usage": {"image_gen": image}}).extra_usage
    assert (extra.model, extra.usage.image_input_tokens, extra.usage.image_output_tokens) == ("gpt-image-1", 20, 1000)
    nothing = {"input_tokens": 0, "output_tokens": 0}
    assert read(*RESPONSES, answer={**DONE, "tool_usage": {"image_gen": nothing}}).extra_usage == ()
