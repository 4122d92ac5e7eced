"""
The rules that break naive readers of usage, one test each, in the order in which they cost most.

Each dialect's own file has its details; here stands what must never be forgotten.
"""

from __future__ import annotations

import gzip

import pytest

from agent.model import Evidence, Outcome, Reading, StreamItem
from agent.pipeline.body import Kind, ResponseBody
from tests.dialects.helpers import chat, counts, read
from tests.exchanges import Wire, request, response, stream

BEDROCK = "bedrock-runtime.us-east-1.amazonaws.com"
GEMINI = "generativelanguage.googleapis.com"


def anthropic(*items: object, complete: bool = True) -> Reading:
    return read("/v1/messages", "api.anthropic.com", items=list(items), names=True, complete=complete)


def start(**usage: object) -> dict[str, object]:
    return {"type": "message_start", "message": {"id": "m", "model": "claude", "usage": usage}}


def delta(**usage: object) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}


def gemini(*usages: dict[str, object]) -> Reading:
    items: list[object] = [{"responseId": "r", "candidates": [{}], "usageMetadata": usage} for usage in usages]
    return read("/v1beta/models/m:streamGenerateContent", GEMINI, items=items)


def test_rule_1_input_means_two_things() -> None:
    """OpenAI's and Gemini's input holds cached tokens, Anthropic's and Bedrock's does not."""
    openai = chat(
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "total_tokens": 105,
            "prompt_tokens_details": {"cached_tokens": 60},
        }
    )
    google = gemini(
        {"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 5, "totalTokenCount": 105}
    )
    claude = anthropic(start(input_tokens=40, cache_read_input_tokens=60, output_tokens=1), delta(output_tokens=5))
    converse = read(
        "/model/m/converse",
        BEDROCK,
        answer={"usage": {"inputTokens": 40, "cacheReadInputTokens": 60, "outputTokens": 5}},
    )
    for got in (openai, google, claude, converse):
        assert (counts(got), got.usage.cache_read_input_tokens) == ((100, 5), 60)


def test_rule_2_output_means_two_things() -> None:
    """Gemini's thoughts and xAI's chat reasoning are outside the output; Gemini's compatible route hides them in the total."""
    google = gemini(
        {
            "promptTokenCount": 10,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 20,
            "toolUsePromptTokenCount": 7,
            "totalTokenCount": 42,
        }
    )
    assert counts(google) == (17, 25)
    xai = {
        "prompt_tokens": 204,
        "completion_tokens": 2,
        "total_tokens": 268,
        "completion_tokens_details": {"reasoning_tokens": 62},
    }
    assert counts(chat(xai, "api.x.ai")) == (204, 64)
    hidden = {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}
    assert counts(chat(hidden, GEMINI, "/v1beta/openai/chat/completions")) == (35, 74)


def test_rule_3_mistral_keeps_sound_outside_the_prompt() -> None:
    """The total gives it away."""
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 248,
        "total_tokens": 632,
        "prompt_tokens_details": {"audio_tokens": 375},
    }
    assert counts(chat(usage, "api.mistral.ai")) == (384, 248)


def test_rule_4_more_cached_than_asked_is_cut_to_fit() -> None:
    """Grok on Azure; never a negative."""
    got = chat(
        {
            "prompt_tokens": 10,
            "completion_tokens": 1,
            "total_tokens": 11,
            "prompt_tokens_details": {"cached_tokens": 64},
        }
    )
    assert (got.usage.cache_read_input_tokens, got.remarks) == (10, ("cached_exceeds_input",))


def test_rule_5_a_delta_replaces_what_the_start_said() -> None:
    """Also by less; what it does not mention stands; never the larger, never the sum."""
    got = anthropic(
        start(input_tokens=2068, cache_read_input_tokens=55096, output_tokens=1),
        delta(input_tokens=22397, cache_read_input_tokens=0, output_tokens=9),
    )
    assert (counts(got), got.usage.cache_read_input_tokens) == ((22397, 9), 0)
    assert counts(anthropic(start(input_tokens=7, output_tokens=1), delta(output_tokens=9))) == (7, 9)


def test_rule_6_iterations_are_billed_on_top() -> None:
    """Those of other types than ``message``, perhaps of another model."""
    iterations = [
        {"type": "compaction", "model": "x", "input_tokens": 55196, "output_tokens": 125},
        {"type": "message", "input_tokens": 220},
    ]
    got = anthropic(start(input_tokens=220, output_tokens=1), delta(output_tokens=8, iterations=iterations))
    assert counts(got) == (220, 8)
    assert [(extra.model, extra.usage.input_tokens) for extra in got.extra_usage] == [("x", 55196)]


def test_rule_7_geminis_last_usage_counts_as_a_whole() -> None:
    """Not merged, not the largest."""
    got = gemini(
        {"promptTokenCount": 169, "candidatesTokenCount": 21, "totalTokenCount": 190},
        {"promptTokenCount": 87, "toolUsePromptTokenCount": 78, "totalTokenCount": 165},
        {"trafficType": "ON_DEMAND"},
    )
    assert counts(got) == (165, 0)


def test_rule_8_a_stream_that_was_not_asked_has_no_usage() -> None:
    """Absent, which is not 0."""
    got = read(
        "/v1/chat/completions",
        "api.openai.com",
        items=[{"id": "c", "choices": [{"index": 0, "finish_reason": "stop"}]}, "[DONE]"],
    )
    assert (got.evidence, counts(got)) == (Evidence.ABSENT, (None, None))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (
            "/v1/responses/resp_0123456789abcdef",
            {"id": "resp_0123456789abcdef", "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 1}},
        ),
        (
            "/v1/threads/t/runs/run_1",
            {
                "id": "run_1",
                "object": "thread.run",
                "status": "completed",
                "usage": {"prompt_tokens": 3, "completion_tokens": 1},
            },
        ),
    ],
)
def test_rule_9_polling_repeats_usage(path: str, answer: object) -> None:
    """The provider's own id is the key."""
    wire = Wire()
    for _ in range(3):
        wire.send(request(path, method="GET")).receive(response(answer))
    assert [call.reading.usage.input_tokens for call in wire.close().calls] == [3, None, None]


def test_rule_10_converse_states_each_cache_counter_twice() -> None:
    """One is taken."""
    usage = {"inputTokens": 1, "outputTokens": 1, "cacheReadInputTokens": 5, "cacheReadInputTokenCount": 5}
    assert counts(read("/model/m/converse", BEDROCK, answer={"usage": usage})) == (6, 1)


def test_rule_11_retry_after_on_a_200_is_no_limit() -> None:
    """Only the status decides."""
    (call,) = Wire().send(request()).receive(response(headers="retry-after: 30\r\n")).close().calls
    assert call.outcome is Outcome.OK


def test_rule_12_errors_come_inside_200_streams() -> None:
    """Groq's event, OpenRouter's chunk, Anthropic's event, Bedrock's frame; usage that follows still counts."""
    groq = read(
        "/openai/v1/chat/completions",
        "api.groq.com",
        items=[StreamItem("error", b'{"error":{"code":"tool_use_failed","status_code":400}}')],
    )
    assert groq.error == "tool_use_failed"
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    router = read(
        "/api/v1/chat/completions",
        "openrouter.ai",
        items=[{"id": "g", "choices": [], "error": {"code": 502}}, {"id": "g", "choices": [], "usage": usage}],
    )
    assert (router.error, counts(router)) == ("502", (3, 1))
    assert (
        anthropic(start(input_tokens=3), {"type": "error", "error": {"type": "overloaded_error"}}).error
        == "overloaded_error"
    )
    frame = StreamItem("exception:throttlingException", b"{}")
    assert read("/model/m/converse-stream", BEDROCK, items=[frame]).error == "throttlingException"


def test_rule_13_content_types_lie() -> None:
    """Events that call themselves JSON."""
    answer = stream(
        [{"id": "c", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}]
    )
    lie = answer.replace(b"text/event-stream", b"application/json")
    (call,) = Wire().send(request()).receive(lie).close().calls
    assert (call.reading.streaming, counts(call.reading)) == (True, (3, 1))


def test_rule_14_a_cut_compressed_stream_is_read_as_far_as_it_came() -> None:
    """Event by event."""
    coded = gzip.compress(b"".join(b'data: {"n": %d}\n\n' % number for number in range(5000)))
    body = ResponseBody("gzip", arrays_are_streams=False)
    items = list(body.receive(coded[: len(coded) // 2])) + list(body.close())
    assert body.kind is Kind.EVENTS
    assert 1000 < len(items) < 4000
