"""Legacy completions."""

from __future__ import annotations

import pytest

from agent.dialects.openai_completions import OpenAiCompletions
from tests.dialects.helpers import counts, dialect_of, head, read


@pytest.mark.parametrize("path", ["/v1/completions", "/beta/completions", "/v1/engines/davinci/completions"])
def test_who_speaks_it(path: str) -> None:
    """By the end of the path, and only what chat did not take."""
    assert dialect_of(head(path, "api.openai.com")) is OpenAiCompletions
    assert dialect_of(head(path, "api.openai.com", "GET")) is None


def test_text_instead_of_messages() -> None:
    """The engine in old paths is the model that was asked for."""
    answer = {
        "id": "cmpl-1",
        "model": "davinci-002",
        "choices": [{"text": "x", "index": 0, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 16, "total_tokens": 18},
    }
    reading = read("/v1/engines/davinci/completions", "api.openai.com", answer=answer)
    assert (counts(reading), reading.operation, reading.finish_reason) == ((2, 16), "text_completion", "length")
    assert (reading.requested_model, reading.served_model) == ("davinci", "davinci-002")
