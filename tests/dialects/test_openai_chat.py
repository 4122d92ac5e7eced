"""OpenAI chat: streams with and without usage, errors inside of them, tools, models."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from agent.dialects.openai_chat import OpenAiChat
from agent.dialects.openai_completions import OpenAiCompletions
from agent.model import Evidence
from tests.dialects.helpers import counts, dialect_of, head, read


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


def test_llama_cpp_counts_in_its_timings() -> None:
    """Of a stream that was not asked for usage; where it was, both say the same."""
    timings = {"cache_n": 58, "prompt_n": 1, "predicted_n": 5}
    end = {**chunk(), "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}], "timings": timings}
    reading = read("/v1/chat/completions", "llama", items=[chunk(), end, "[DONE]"])
    assert (counts(reading), reading.usage.cache_read_input_tokens) == ((59, 5), 58)
    assert reading.evidence is Evidence.REPORTED
    for wrong in ({}, {**timings, "prompt_n": "1"}, {**timings, "predicted_n": -1}, None, [1]):
        assert read("/v1/chat/completions", "llama", items=[{**end, "timings": wrong}]).evidence is Evidence.ABSENT


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


def test_a_cost_in_a_proxys_header() -> None:
    """LiteLLM."""
    body = {"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    reading = read("/v1/chat/completions", "litellm", answer=body, headers={"x-litellm-response-cost": "1.5e-05"})
    assert reading.reported_cost_usd == Decimal("0.000015")


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


CHAT = ("/v1/chat/completions", "api.openai.com")
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/v1/chat/completions", "api.openai.com"),
        ("/openai/deployments/d/chat/completions?api-version=2024", "r.openai.azure.com"),
        ("/models/chat/completions", "r.services.ai.azure.com"),
        ("/together/v1/chat/completions", "router.huggingface.co"),
        ("/v1beta/openai/chat/completions", "generativelanguage.googleapis.com"),
        ("/api/v1/chat/completions", "openrouter.ai"),
        ("/openai/v1/chat/completions", "api.groq.com"),
        ("/v1/agents/completions", "api.mistral.ai"),
        ("/v1/chat", "api.writer.com"),
        ("/api/v2/cortex/inference:complete", "acme.snowflakecomputing.com"),
        ("/v1/projects/p/locations/l/publishers/mistralai/models/mistral-small:streamRawPredict", "x"),
    ],
)
def test_who_speaks_it(path: str, host: str) -> None:
    """By path, whatever stands before it."""
    found = dialect_of(head(path, host))
    assert found is not None
    assert found.api == "openai/chat"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/chat/completions"), ("POST", "/v1/chat"), ("POST", "/v1/chat/completions/x/messages"), ("POST", "/")],
)
def test_who_does_not(method: str, path: str) -> None:
    """Stored completions are asked for, Cohere's chat is another API."""
    assert dialect_of(head(path, "api.cohere.com", method)) not in (OpenAiChat, OpenAiCompletions)


def test_usage_beside_a_choice_that_has_ended_is_final() -> None:
    """OpenRouter's; who hangs up at [DONE], before the framing ends, has had it all."""
    end = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    late = chunk(USAGE, choices=[{"index": 0, "delta": {"content": ""}, "finish_reason": None}])
    for items in ([chunk(), end, late, "[DONE]"], [chunk(), end, late]):
        assert read("/api/v1/chat/completions", "openrouter.ai", items=items, complete=False).evidence == "reported"


def test_done_does_not_make_growing_usage_final() -> None:
    """The chunk with the end of the answer may be in a hole before it."""
    assert read(*CHAT, items=[chunk(USAGE), "[DONE]"], complete=False).evidence is Evidence.PARTIAL


def test_growing_usage_is_final_when_every_choice_has_ended() -> None:
    """With two answers at once the end of the first is not the end."""

    def step(index: int, made: int, reason: str | None) -> object:
        usage = {"prompt_tokens": 5, "completion_tokens": made, "total_tokens": 5 + made}
        return chunk(usage, choices=[{"index": index, "delta": {"content": "x"}, "finish_reason": reason}])

    items = [step(0, 1, None), step(1, 2, None), step(0, 3, "stop"), step(1, 4, None), step(1, 5, "stop")]
    evidence = [read(*CHAT, items=items[: n + 1], complete=False).evidence for n in range(5)]
    assert evidence == ["partial"] * 4 + ["reported"]


def test_moonshot_states_usage_inside_the_last_choice() -> None:
    """Nothing stands at the top."""
    last = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}])
    assert counts(read("/v1/chat/completions", "api.moonshot.ai", items=[chunk(), last, "[DONE]"])) == (5, 3)


def tool(name: str, identifier: str | None, index: int = 0) -> object:
    call = {"index": index, "id": identifier, "function": {"name": name, "arguments": "{"}}
    return chunk(choices=[{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}])


def test_a_name_that_is_repeated_without_its_id_is_the_same_call() -> None:
    """Some servers name the function in every fragment."""
    assert read(*CHAT, items=[tool("f", "call_1"), tool("f", None), tool("f", "")]).tool_calls == ("f",)


def test_calls_without_ids_and_numbers_are_told_apart_by_name() -> None:
    """Gemini's compatible route numbers every call 0."""
    assert read(*CHAT, items=[tool("f", ""), tool("g", "")]).tool_calls == ("f", "g")


def test_tools_are_bounded() -> None:
    """Names are kept until the end of the answer."""
    items = [tool(f"f{number}", f"{number}", number) for number in range(1000)]
    assert len(read(*CHAT, items=items).tool_calls) == 256


def test_what_a_model_says_about_usage_is_not_usage() -> None:
    """In a string the quotes are escaped, so neither the skipping nor the reading is fooled."""
    said = json.dumps({"usage": {"prompt_tokens": 999}, "name": "f", "error": "e", "finish_reason": "stop"})
    item = chunk(choices=[{"index": 0, "delta": {"content": said}, "finish_reason": None}])
    reading = read(*CHAT, items=[chunk(), item, chunk(USAGE, choices=[]), "[DONE]"])
    assert (counts(reading), reading.tool_calls, reading.error, reading.finish_reason) == ((5, 3), (), "", "")


def test_half_a_document_gives_what_certainly_is_there() -> None:
    """A usage that came through is a lower bound, not the final word."""
    body = json.dumps({"id": "c", "model": "gpt-x", "usage": USAGE, "choices": [{"message": {"content": "long"}}]})
    reading = read(*CHAT, answer=body.encode()[:-10], complete=False)
    assert (counts(reading), reading.evidence, reading.served_model) == ((5, 3), Evidence.PARTIAL, "gpt-x")
    assert read(*CHAT, answer=body.encode()[:20], complete=False).evidence is Evidence.ABSENT


def test_a_receipt_is_no_answer() -> None:
    """xAI's deferred completions and Perplexity's jobs are answered by a later request."""
    assert read(*CHAT, answer={"request_id": "r"}).evidence is Evidence.NOT_APPLICABLE
    assert read(*CHAT, answer={"id": "j", "status": "CREATED", "model": "m"}).evidence is Evidence.NOT_APPLICABLE


def test_a_deferred_answer_is_fetched_later() -> None:
    """202 until it is there."""
    found = dialect_of(head("/v1/chat/deferred-completion/0a1b", "api.x.ai", "GET"))
    assert found is OpenAiChat
    waiting = read(*CHAT, answer=b"", status=202)
    assert waiting.evidence is Evidence.NOT_APPLICABLE


def test_a_refused_prompt_was_evaluated() -> None:
    """Azure's filter answers 200 without usage: that is a hole in the books, not nothing."""
    reading = read(*CHAT, answer={"error": {"code": "content_filter", "message": "m", "status": 400}})
    assert (reading.evidence, reading.error) == (Evidence.ABSENT, "content_filter")


def test_errors_without_an_envelope() -> None:
    """Mistral writes code and type at the top."""
    answer = {"object": "error", "message": "m", "type": "invalid_request_invalid_args", "code": 3051}
    assert read("/v1/chat/completions", "api.mistral.ai", answer=answer, status=400).error == "3051"


def test_groqs_systems_of_several_models() -> None:
    """One usage for several models is told, and how it divides among them; tools that ran there are counted."""
    parts = [{"model": "a", "usage": USAGE}, {"model": "b", "usage": USAGE}]
    message = {"executed_tools": [{"type": "search"}, {"type": "search"}, {"type": "python"}]}
    answer = {
        "id": "c", "model": "groq/compound", "choices": [{"message": message, "finish_reason": "stop"}],
        "usage": USAGE, "usage_breakdown": {"models": parts},
    }  # fmt: skip
    reading = read("/openai/v1/chat/completions", "api.groq.com", answer=answer)
    assert reading.remarks == ("several_models",)
    assert [(part.model, part.usage) for part in reading.usage_by_model] == [("a", reading.usage), ("b", reading.usage)]
    assert dict(reading.server_tool_calls) == {"search": 2, "python": 1}


def test_tier_and_request() -> None:
    """The served tier goes before the one asked for."""
    answer = {"id": "c", "choices": [], "usage": USAGE}
    asked = {"model": "gpt-5", "service_tier": "flex"}
    assert read(*CHAT, asked=asked, answer=answer).service_tier == "flex"
    assert read(*CHAT, asked=asked, answer={**answer, "service_tier": "default"}).service_tier == "default"


@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/openai/v1/responses"])
def test_azure_says_in_heads_how_it_served(path: str) -> None:
    """That capacity was full and the call went elsewhere, above all; the tier where the body states none."""
    answer = {"id": "c", "choices": [], "usage": USAGE}

    def tier(answer: object, **heads: str) -> str:
        named = {name.replace("_", "-"): value for name, value in heads.items()}
        return read(path, "a.openai.azure.com", answer=answer, headers=named).service_tier

    assert tier({**answer, "service_tier": "default"}, x_ms_is_spilled_over="true") == "spillover"
    assert tier(answer, x_ms_is_spilled_over="false") == ""
    assert tier(answer, azureai_processed_tier="priority") == "priority"
    assert tier({**answer, "service_tier": "default"}, azureai_processed_tier="priority") == "default"
