"""OpenAI Responses: finished and unfinished, streamed, polled, with tools."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import read

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
