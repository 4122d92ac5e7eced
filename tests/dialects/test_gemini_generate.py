"""Gemini: parts outside of each other, and streams whose last word counts.  Figures are those of real recordings."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from agent.model import Evidence
from tests.dialects.helpers import counts, dialect_of, head, read

GEMINI = ("/v1beta/models/gemini-2.5-flash:generateContent", "generativelanguage.googleapis.com")
GEMINI_STREAM = ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "generativelanguage.googleapis.com")


def gemini_chunk(usage: object, reason: str = "") -> dict[str, object]:
    candidate = {"content": {"parts": [{"text": "x"}]}, **({"finishReason": reason} if reason else {})}
    return {"responseId": "r", "modelVersion": "g", "candidates": [candidate], "usageMetadata": usage}


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


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1beta/models/gemini-2.5-flash:generateContent?key=x", "gemini/generateContent"),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini/streamGenerateContent"),
        ("/v1/projects/p/locations/l/publishers/google/models/g:generateContent", "gemini/generateContent"),
        ("/v1/projects/p/locations/l/endpoints/123:streamGenerateContent", "gemini/streamGenerateContent"),
        ("/v1beta/tunedModels/mine:generateContent", "gemini/generateContent"),
        ("/v1beta/models/gemini-2.5-flash%3AgenerateContent", "gemini/generateContent"),
        ("/v1beta/models/gemini-2.5-flash:countTokens", "gemini/countTokens"),
        ("/v1beta/models/gemini-embedding-001:batchEmbedContents", "gemini/batchEmbedContents"),
        ("/v1beta/models/gemini-2.5-flash:batchGenerateContent", "gemini/batches"),
    ],
)
def test_what_is_read(path: str, api: str | None) -> None:
    """The Gemini API, Vertex, tuned models; counting is free, embedding and batches are other APIs."""
    found = dialect_of(head(path, "generativelanguage.googleapis.com"))
    assert (found.api if found else None) == api


def usage(prompt: int, made: int, **more: object) -> dict[str, object]:
    return {"promptTokenCount": prompt, "candidatesTokenCount": made, "totalTokenCount": prompt + made, **more}


def test_the_model_asked_for_stands_in_the_path() -> None:
    """And nowhere else."""
    reading = read(*GEMINI, answer=gemini_chunk(usage(1, 1), "STOP"))
    assert (reading.requested_model, reading.served_model, reading.response_id) == ("gemini-2.5-flash", "g", "r")


def test_modalities_of_prompt_and_of_the_models_own_tools() -> None:
    """Both are input; parts are cut to fit their whole."""
    more = {
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}, {"modality": "IMAGE", "tokenCount": 258}],
        "toolUsePromptTokensDetails": [{"modality": "IMAGE", "tokenCount": 2}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 99}],
        "toolUsePromptTokenCount": 2,
    }
    reading = read(*GEMINI, answer=gemini_chunk(usage(262, 7, totalTokenCount=271, **more), "STOP"))
    assert (reading.usage.image_input_tokens, reading.usage.audio_input_tokens) == (260, None)
    assert (reading.usage.audio_output_tokens, reading.remarks) == (7, ("modality_exceeds_output",))


def test_a_total_that_is_not_the_sum_is_told() -> None:
    """A counter that we do not know yet shows up here first."""
    assert read(*GEMINI, answer=gemini_chunk(usage(5, 5, totalTokenCount=20), "STOP")).remarks == (
        "total_exceeds_parts",
    )


def test_a_cut_stream_is_partial_before_its_reason() -> None:
    """Every chunk has usage, growing."""
    items: list[object] = [gemini_chunk(usage(5, made)) for made in (1, 2, 3)] + [gemini_chunk(usage(5, 4), "STOP")]
    evidence = [read(*GEMINI_STREAM, items=items[:end], complete=False).evidence for end in (1, 2, 3, 4)]
    assert evidence == ["partial", "partial", "partial", "reported"]
    assert counts(read(*GEMINI_STREAM, items=items[:3], complete=False)) == (5, 3)


def test_tools_in_the_middle_of_a_stream_and_figures_after_them() -> None:
    """Chunks that wait to be parsed at the end do not undo those that were parsed at once."""
    call = gemini_chunk(usage(5, 2))
    call["candidates"] = [{"content": {"parts": [{"functionCall": {"name": "f", "args": {}}}]}}]
    items: list[object] = [gemini_chunk(usage(5, 1)), call, gemini_chunk(usage(5, 3)), gemini_chunk(usage(5, 4))]
    reading = read(*GEMINI_STREAM, items=items)
    assert (reading.tool_calls, counts(reading), reading.evidence) == (("f",), (5, 4), Evidence.REPORTED)


def test_a_chunk_without_usage_at_the_end_does_not_undo_it() -> None:
    """Nor one of text alone."""
    last = {"responseId": "r", "candidates": [{"content": {"parts": [{"text": "x"}]}}]}
    assert counts(read(*GEMINI_STREAM, items=[gemini_chunk(usage(5, 1)), gemini_chunk(usage(5, 2)), last])) == (5, 2)


def test_queries_of_grounding_are_counted_once() -> None:
    """A stream repeats them from chunk to chunk."""
    first, second = gemini_chunk(usage(5, 1)), gemini_chunk(usage(5, 2), "STOP")
    for chunk, queries in ((first, ["a"]), (second, ["a", "b"])):
        chunk["candidates"][0]["groundingMetadata"] = {"webSearchQueries": queries}  # type: ignore[index]
    reading = read(*GEMINI_STREAM, items=[first, second])
    assert dict(reading.server_tool_calls) == {"google_search_queries": 2}


def test_a_blocked_prompt_has_no_candidates() -> None:
    """Its prompt was read and is billed."""
    answer = {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8},
    }
    assert counts(read(*GEMINI, answer=answer)) == (8, 0)
    assert read(*GEMINI_STREAM, items=[answer], complete=False).evidence is Evidence.REPORTED


def test_older_vertex_servers_number_their_reasons() -> None:
    """The number of the enum stands for its name."""
    answer = gemini_chunk(usage(1, 1))
    answer["candidates"] = [{"finishReason": 1}]
    assert read(*GEMINI, answer=answer).finish_reason == "1"


def test_errors() -> None:
    """As an object, or as an array of one; the word is the status."""
    error = {"error": {"code": 429, "message": "secret", "status": "RESOURCE_EXHAUSTED"}}
    for answer in (error, [error]):
        reading = read(*GEMINI, answer=answer, status=429)
        assert (reading.error, reading.evidence) == ("RESOURCE_EXHAUSTED", Evidence.NOT_APPLICABLE)
        assert "secret" not in repr(reading)


def test_tier_and_cost() -> None:
    """The body's tier goes before the header's; a gateway's cost is kept."""
    tier = {"x-gemini-service-tier": "flex"}
    assert read(*GEMINI, answer=gemini_chunk(usage(1, 1)), headers=tier).service_tier == "flex"
    stated = gemini_chunk(usage(1, 1, trafficType="ON_DEMAND", pydantic_ai_gateway={"cost_estimate": 0.5}))
    reading = read(*GEMINI, answer=stated, headers=tier)
    assert (reading.service_tier, reading.reported_cost_usd) == ("ON_DEMAND", Decimal("0.5"))


def test_half_a_document() -> None:
    """What came through is a lower bound."""
    body = json.dumps({"usageMetadata": usage(3, 4), "candidates": []}).encode()
    reading = read(*GEMINI, answer=body[:-3], complete=False)
    assert (counts(reading), reading.evidence) == ((3, 4), Evidence.PARTIAL)
