"""Embeddings: input only."""

from __future__ import annotations

from agent.dialects.ollama import OllamaEmbed
from agent.dialects.openai_embeddings import OpenAiEmbeddings
from agent.model import Evidence
from tests.dialects.helpers import dialect_of, head, read


def test_who_speaks_it() -> None:
    """By the end of the path; Ollama's own API has other bodies under this name."""
    assert dialect_of(head("/v1/embeddings", "api.openai.com")) is OpenAiEmbeddings
    assert dialect_of(head("/openai/deployments/d/embeddings", "r.openai.azure.com")) is OpenAiEmbeddings
    assert dialect_of(head("/api/v1/embeddings", "openrouter.ai")) is OpenAiEmbeddings
    assert dialect_of(head("/api/embeddings", "ollama:11434")) is OllamaEmbed


def test_an_output_of_nothing_is_stated_by_some() -> None:
    """Mistral says 0, OpenAI says nothing: the reading tells the two apart."""
    answer = {"id": "e", "model": "m", "data": [], "usage": {"prompt_tokens": 21, "total_tokens": 21}}
    silent = read("/v1/embeddings", "api.openai.com", answer=answer)
    answer["usage"] = {"prompt_tokens": 21, "total_tokens": 21, "completion_tokens": 0}
    stated = read("/v1/embeddings", "api.mistral.ai", answer=answer)
    assert (silent.usage.input_tokens, silent.usage.output_tokens) == (21, None)
    assert (stated.usage.input_tokens, stated.usage.output_tokens) == (21, 0)
    assert silent.evidence is Evidence.REPORTED
    assert silent.operation == "embeddings"


def test_an_answer_without_usage_is_absent() -> None:
    """Vectors were served."""
    assert read("/v1/embeddings", "x", answer={"data": [], "model": "m"}).evidence is Evidence.ABSENT
