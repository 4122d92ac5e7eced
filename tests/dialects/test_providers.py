"""Hosts to providers."""

from __future__ import annotations

import pytest

from agent.dialects.providers import Providers
from agent.model import RequestHead


def provider(host: str, extra: dict[str, str] | None = None) -> str:
    return Providers(extra).provider_of(RequestHead(stream_id=1, method="POST", target="/", headers={"host": host}))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.openai.com", "openai"),
        ("API.OpenAI.com:443", "openai"),
        ("eu.api.openai.com", "openai"),
        ("my-res.openai.azure.com", "azure.ai.openai"),
        ("my-res.services.ai.azure.com", "azure.ai.inference"),
        ("us-central1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock"),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", "aws.bedrock"),
        ("s3.us-east-1.amazonaws.com", "unknown"),
        ("api.x.ai", "x_ai"),
        ("openrouter.ai", "openrouter"),
        ("api.openai.com.evil.example", "unknown"),
        ("[::1]:8000", "unknown"),
        ("", "unknown"),
    ],
)
def test_hosts(host: str, name: str) -> None:
    """Whole names and endings; ports and case do not matter."""
    assert provider(host) == name


def test_users_can_add_hosts() -> None:
    """In-cluster gateways and models."""
    assert provider("llm.internal:8080", {"LLM.internal": "openai"}) == "openai"


def test_endless_host_names_are_not_remembered_for_ever() -> None:
    """Hosts come from pods."""
    providers = Providers()
    for number in range(6000):
        providers.provider_of(RequestHead(stream_id=1, method="GET", target="/", headers={"host": f"h{number}"}))
    assert len(providers._remembered) <= 4096
