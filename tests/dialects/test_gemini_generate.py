"""Gemini: parts outside of each other, and streams whose last word counts.  Figures are those of real recordings."""

from __future__ import annotations

from tests.dialects.helpers import counts, read

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
