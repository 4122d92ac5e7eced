"""Hosts, and where one host is two providers paths, to providers."""

from __future__ import annotations

import pytest

from agent.dialects.providers import Providers
from agent.model import RequestHead


def provider(host: str, path: str = "/", extra: dict[str, str] | None = None) -> str:
    return Providers(extra).provider_of(RequestHead(stream_id=1, method="POST", target=path, headers={"host": host}))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.openai.com", "openai"),
        ("API.OpenAI.com:443", "openai"),
        ("eu.api.openai.com", "openai"),
        ("my-res.openai.azure.com", "azure.ai.openai"),
        ("my-res.services.ai.azure.com", "azure.ai.inference"),
        ("models.inference.ai.azure.com", "github"),
        ("us-central1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock"),
        ("bedrock-agent-runtime.eu-west-1.amazonaws.com", "aws.bedrock"),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", "aws.bedrock"),
        ("bedrock-mantle.us-east-1.api.aws", "aws.bedrock"),
        ("vpce-0a-1b.bedrock-runtime.us-east-1.vpce.amazonaws.com", "aws.bedrock"),
        ("bedrock-runtime.us-east-1.amazonaws.com.evil.example", "unknown"),
        ("my-bedrock-logs.s3.us-east-1.amazonaws.com", "unknown"),
        ("runtime.sagemaker.us-east-1.amazonaws.com", "aws.sagemaker"),
        ("s3.us-east-1.amazonaws.com", "unknown"),
        ("api.x.ai", "x_ai"),
        ("us-east-1.api.x.ai", "x_ai"),
        ("us-south.ml.cloud.ibm.com", "ibm.watsonx.ai"),
        ("abc.us-east-1.aws.endpoints.huggingface.cloud", "hugging_face"),
        ("streaming-api.svc.us.c.replicate.net", "replicate"),
        ("openrouter.ai", "openrouter"),
        ("api.openai.com.evil.example", "unknown"),
        ("notopenai.azure.com", "unknown"),
        ("[::1]:8000", "unknown"),
        ("", "unknown"),
    ],
)
def test_hosts(host: str, name: str) -> None:
    """Whole names, endings and patterns of whole names; ports and case do not matter."""
    assert provider(host) == name


@pytest.mark.parametrize(
    ("host", "path", "name"),
    [
        ("r.services.ai.azure.com", "/openai/v1/responses", "azure.ai.openai"),
        ("r.services.ai.azure.com", "/models/chat/completions?api-version=1", "azure.ai.inference"),
        ("r.services.ai.azure.com", "/anthropic/v1/messages", "azure.ai.inference"),
        ("r.cognitiveservices.azure.com", "/openai/deployments/d/chat/completions", "azure.ai.openai"),
        ("r.cognitiveservices.azure.com", "/vision/v3.2/analyze", "unknown"),
        ("acme.snowflakecomputing.com", "/api/v2/cortex/inference:complete", "snowflake"),
        ("acme.snowflakecomputing.com", "/api/v2/statements", "unknown"),
    ],
)
def test_one_host_can_be_several_providers(host: str, path: str, name: str) -> None:
    """The path decides, also when the host was seen before with another one."""
    providers = Providers()
    for target in ("/warm/up", path):
        found = providers.provider_of(RequestHead(stream_id=1, method="POST", target=target, headers={"host": host}))
    assert found == name


def test_users_can_add_hosts() -> None:
    """In-cluster gateways and models; the user's word goes before ours."""
    extra = {"LLM.internal": "openai", "api.openai.com": "mine"}
    assert provider("llm.internal:8080", extra=extra) == "openai"
    assert provider("api.openai.com", extra=extra) == "mine"


def test_endless_host_names_are_not_remembered_for_ever() -> None:
    """Hosts come from pods."""
    providers = Providers()
    for number in range(6000):
        providers.provider_of(RequestHead(stream_id=1, method="GET", target="/", headers={"host": f"h{number}"}))
    assert len(providers._remembered) <= 4096
