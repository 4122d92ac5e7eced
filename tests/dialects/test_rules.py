"""The rules that break naive extractors, each by name.  Figures are those of real recordings."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agent.model import Evidence, Reading
from tests.dialects.helpers import chat, read

MESSAGES = ("/v1/messages", "api.anthropic.com")
GEMINI = ("/v1beta/models/gemini-2.5-flash:generateContent", "generativelanguage.googleapis.com")
GEMINI_STREAM = ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "generativelanguage.googleapis.com")
RESPONSES = ("/v1/responses", "api.openai.com")


def counts(reading: Reading) -> tuple[int | None, int | None]:
    return reading.usage.input_tokens, reading.usage.output_tokens


# 1, 2: two meanings of input and output


def test_openai_prompt_includes_cached_tokens() -> None:
    """Nothing is added."""
    reading = chat(
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 64},
        }
    )
    assert (counts(reading), reading.usage.cache_read_input_tokens) == ((100, 20), 64)


def test_anthropic_input_excludes_cache_reads_and_writes() -> None:
    """Our input is all three."""
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 30,
        "output_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    }
    reading = read(*MESSAGES, answer={"id": "m", "type": "message", "model": "claude", "content": [], "usage": usage})
    assert counts(reading) == (240, 5)
    assert (reading.usage.cache_write_input_tokens, reading.usage.cache_write_1h_input_tokens) == (30, 10)


def test_gemini_thoughts_and_tool_prompts_are_outside() -> None:
    """T = P + C + R + X."""
    usage = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 100,
        "toolUsePromptTokenCount": 40,
        "totalTokenCount": 155,
        "cachedContentTokenCount": 4,
    }
    reading = read(
        *GEMINI,
        answer={
            "responseId": "r",
            "modelVersion": "g",
            "candidates": [{"finishReason": "STOP"}],
            "usageMetadata": usage,
        },
    )
    assert counts(reading) == (50, 105)
    assert (reading.usage.reasoning_output_tokens, reading.usage.tool_use_input_tokens) == (100, 40)


def test_xai_chat_keeps_reasoning_outside_completion() -> None:
    """268 = 204 + 2 + 62."""
    usage = {
        "prompt_tokens": 204,
        "completion_tokens": 2,
        "total_tokens": 268,
        "completion_tokens_details": {"reasoning_tokens": 62},
    }
    assert counts(chat(usage, "api.x.ai")) == (204, 64)


def test_geminis_compatible_route_hides_thoughts() -> None:
    """total 109 is not 35 + 12: what is missing was made, and is billed as output."""
    reading = chat(
        {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
        "generativelanguage.googleapis.com",
        "/v1beta/openai/chat/completions",
    )
    assert counts(reading) == (35, 74)


def test_elsewhere_an_unexplained_total_is_a_remark_not_a_guess() -> None:
    """Counts stay as stated."""
    reading = chat({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109})
    assert (counts(reading), reading.remarks) == ((35, 12), ("total_exceeds_parts",))


# 3, 4


def test_mistral_keeps_audio_outside_the_prompt() -> None:
    """632 = 9 + 375 + 248."""
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 248,
        "total_tokens": 632,
        "prompt_tokens_details": {"audio_tokens": 375},
    }
    reading = chat(usage, "api.mistral.ai")
    assert (counts(reading), reading.usage.audio_input_tokens) == ((384, 248), 375)


def test_more_cached_than_prompt_is_cut_to_fit() -> None:
    """Azure-hosted Grok; never a negative."""
    reading = chat(
        {
            "prompt_tokens": 10,
            "completion_tokens": 1,
            "total_tokens": 11,
            "prompt_tokens_details": {"cached_tokens": 50},
        },
        "x.services.ai.azure.com",
        "/models/chat/completions",
    )
    assert (reading.usage.cache_read_input_tokens, reading.remarks) == (10, ("cached_exceeds_input",))


# 5, 6: Anthropic streams and iterations

START = {
    "type": "message_start",
    "message": {
        "id": "m1",
        "model": "claude-sonnet-4-5",
        "usage": {
            "input_tokens": 2068,
            "cache_read_input_tokens": 55096,
            "output_tokens": 1,
            "service_tier": "standard",
        },
    },
}


def delta(usage: object) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}


def test_message_delta_replaces_field_by_field_also_by_less() -> None:
    """Overwrite: never the larger one, never the sum; what the delta leaves out stays."""
    reading = read(
        *MESSAGES,
        items=[START, delta({"input_tokens": 22397, "cache_read_input_tokens": 0, "output_tokens": 40})],
        names=True,
    )
    assert counts(reading) == (22397, 40)
    assert (reading.service_tier, reading.finish_reason, reading.evidence) == (
        "standard",
        "end_turn",
        Evidence.REPORTED,
    )


def test_an_older_delta_carries_only_output() -> None:
    """The start's input stays."""
    assert counts(read(*MESSAGES, items=[START, delta({"output_tokens": 40})])) == (57164, 40)


def test_a_stream_without_its_delta_is_partial() -> None:
    """The start's count is provisional."""
    reading = read(*MESSAGES, items=[START], complete=False)
    assert (counts(reading), reading.evidence) == ((57164, 1), Evidence.PARTIAL)


def test_iterations_of_other_types_are_billed_on_top() -> None:
    """Without this rule the call is under-priced by a factor of 250."""
    usage = {
        "input_tokens": 220,
        "output_tokens": 8,
        "iterations": [
            {"type": "compaction", "model": "claude-haiku-4-5", "input_tokens": 55196, "output_tokens": 125},
            {"type": "message", "input_tokens": 220, "output_tokens": 8},
        ],
    }
    reading = read(*MESSAGES, answer={"id": "m", "model": "claude", "content": [], "usage": usage})
    assert counts(reading) == (220, 8)
    (extra,) = reading.extra_usage
    assert (extra.kind, extra.model, extra.usage.input_tokens, extra.usage.output_tokens) == (
        "compaction",
        "claude-haiku-4-5",
        55196,
        125,
    )


# 7: Gemini streams


def gemini_chunk(usage: object, reason: str = "") -> dict[str, object]:
    candidate = {"content": {"parts": [{"text": "x"}]}, **({"finishReason": reason} if reason else {})}
    return {"responseId": "r", "modelVersion": "g", "candidates": [candidate], "usageMetadata": usage}


def test_the_last_whole_usage_wins_and_nothing_of_the_earlier_ones() -> None:
    """169 → 79; an older candidates count is dropped with its object."""
    items = [
        gemini_chunk({"promptTokenCount": 169, "candidatesTokenCount": 21, "totalTokenCount": 190}),
        gemini_chunk({"promptTokenCount": 79, "totalTokenCount": 79}, "STOP"),
    ]
    assert counts(read(*GEMINI_STREAM, items=items)) == (79, 0)


def test_vertex_chunks_without_counts_are_no_usage() -> None:
    """``{"trafficType": …}`` alone."""
    items = [
        gemini_chunk({"trafficType": "ON_DEMAND"}),
        gemini_chunk(
            {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7, "trafficType": "ON_DEMAND"}, "STOP"
        ),
        gemini_chunk({"trafficType": "ON_DEMAND"}),
    ]
    assert counts(read(*GEMINI_STREAM, items=items)) == (5, 2)


# 8: OpenAI streams


def chunk(usage: object = None, **more: object) -> dict[str, object]:
    return {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}],
        "usage": usage,
        **more,
    }


def test_a_stream_that_was_not_asked_for_usage_has_none() -> None:
    """Absent, not 0."""
    reading = read("/v1/chat/completions", "api.openai.com", items=[chunk(), chunk(), "[DONE]"])
    assert (counts(reading), reading.evidence) == ((None, None), Evidence.ABSENT)


def test_groq_states_usage_beside_the_last_chunk() -> None:
    """``x_groq.usage``."""
    last = {**chunk(), "x_groq": {"id": "g", "usage": {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}}}
    reading = read("/openai/v1/chat/completions", "api.groq.com", items=[chunk(), last, "[DONE]"])
    assert (counts(reading), reading.evidence) == ((7, 9), Evidence.REPORTED)


def test_cumulative_usage_in_every_chunk_is_final_only_at_the_end() -> None:
    """Perplexity, vLLM: cut in between it is a lower bound."""
    items: list[object] = [
        chunk({"prompt_tokens": 5, "completion_tokens": n, "total_tokens": 5 + n}) for n in (1, 2, 3)
    ]
    assert read("/chat/completions", "api.perplexity.ai", items=items).evidence is Evidence.REPORTED
    cut = read("/chat/completions", "api.perplexity.ai", items=items[:2], complete=False)
    assert (counts(cut), cut.evidence) == ((5, 2), Evidence.PARTIAL)


def test_deepseek_names_its_cache_otherwise() -> None:
    """P = hit + miss."""
    reading = chat(
        {
            "prompt_tokens": 30,
            "completion_tokens": 1,
            "total_tokens": 31,
            "prompt_cache_hit_tokens": 20,
            "prompt_cache_miss_tokens": 10,
        },
        "api.deepseek.com",
    )
    assert reading.usage.cache_read_input_tokens == 20


# 9: unfinished and polled objects


def test_a_queued_answer_is_not_a_call_without_usage() -> None:
    """It is not finished: nothing is billed yet."""
    reading = read(*RESPONSES, answer={"id": "resp_1", "status": "queued", "model": "o3", "usage": None, "output": []})
    assert (reading.evidence, reading.response_id) == (Evidence.NOT_APPLICABLE, "resp_1")


# 12, 13: errors in 200 streams, lying types


def test_an_error_event_inside_a_200_stream() -> None:
    """Groq: no usage, and not a call that forgot to state it."""
    items: list[object] = [
        chunk(),
        {"type": "error", "error": {"message": "secret", "type": "invalid_request_error", "code": "tool_use_failed"}},
    ]
    reading = read("/openai/v1/chat/completions", "api.groq.com", items=items, names=True)
    assert (reading.error, counts(reading)) == ("tool_use_failed", (None, None))
    assert "secret" not in repr(reading)


def test_an_error_chunk_with_usage_behind_it() -> None:
    """OpenRouter: the usage counts."""
    items: list[object] = [
        chunk(error={"code": 502, "message": "x"}),
        {
            "id": "c",
            "choices": [],
            "usage": {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5, "cost": 0.00042},
        },
    ]
    reading = read("/api/v1/chat/completions", "openrouter.ai", items=items)
    assert (counts(reading), reading.error, reading.reported_cost_usd) == ((4, 1), "502", Decimal("0.00042"))


def test_anthropics_overload_inside_a_stream() -> None:
    """``event: error``."""
    reading = read(
        *MESSAGES,
        items=[START, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}],
        complete=False,
    )
    assert (reading.error, reading.evidence) == ("overloaded_error", Evidence.PARTIAL)


# reported costs


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost_in_usd_ticks": 6306000}, "0.0006306"),
        ({"cost": 0.0021}, "0.0021"),
        ({"cost": {"total_cost": 0.006}}, "0.006"),
        ({"pydantic_ai_gateway": {"cost_estimate": 0.5}}, "0.5"),
        ({"cost": -1}, None),
        ({"cost": "NaN"}, None),
        ({"cost": True}, None),
    ],
)
def test_a_cost_in_the_usage(usage: dict[str, object], cost: str | None) -> None:
    """xAI's ticks, OpenRouter, Perplexity, a gateway; nonsense is not a cost."""
    reading = chat({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, **usage})
    assert reading.reported_cost_usd == (Decimal(cost) if cost else None)


def test_a_cost_in_a_proxys_header() -> None:
    """LiteLLM."""
    body = {"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    reading = read("/v1/chat/completions", "litellm", answer=body, headers={"x-litellm-response-cost": "1.5e-05"})
    assert reading.reported_cost_usd == Decimal("0.000015")


# tools, models, extras


def test_tool_calls_by_name_in_order_over_all_choices() -> None:
    """Names come only in a call's first fragment; some servers number every call 0 and tell them apart by id."""

    def tool(choice: int, index: int, name: str | None, identifier: str | None) -> dict[str, object]:
        function = {"arguments": "{}", **({"name": name} if name else {})}
        return {
            "id": "c",
            "model": "m",
            "choices": [
                {"index": choice, "delta": {"tool_calls": [{"index": index, "id": identifier, "function": function}]}}
            ],
        }

    items: list[object] = [
        tool(1, 0, "d", "4"),
        tool(0, 0, "a", "1"),
        tool(0, 0, None, None),
        tool(0, 1, "b", "2"),
        tool(0, 1, "c", "3"),
    ]
    assert read("/v1/chat/completions", "api.openai.com", items=items).tool_calls == ("a", "b", "c", "d")


def test_tools_of_the_provider_are_not_the_applications() -> None:
    """Counted by name, apart."""
    content = [{"type": "server_tool_use", "name": "web_search"}, {"type": "tool_use", "name": "mine"}]
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    }
    reading = read(*MESSAGES, answer={"id": "m", "model": "c", "content": content, "usage": usage})
    assert (reading.tool_calls, dict(reading.server_tool_calls)) == (("mine",), {"web_search": 2})


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


def test_the_model_asked_for_can_stand_in_the_path() -> None:
    """Azure's deployments; the body's word goes first."""
    path, host = "/openai/deployments/my%20gpt/chat/completions?api-version=1", "x.openai.azure.com"
    answer = {
        "id": "c",
        "model": "gpt-4o-2024-08-06",
        "choices": [],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
    assert read(path, host, answer=answer).requested_model == "my gpt"
    assert read(path, host, asked={"model": "gpt-4o"}, answer=answer).requested_model == "gpt-4o"


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
def test_an_error_costs_nothing_and_is_not_absent_usage(status: int) -> None:
    """Else every 429 would look like a hole in the books."""
    reading = read(
        "/v1/chat/completions",
        "api.openai.com",
        answer={"error": {"code": "rate_limit_exceeded", "message": "m"}},
        status=status,
    )
    assert (reading.evidence, reading.error) == (Evidence.NOT_APPLICABLE, "rate_limit_exceeded")
