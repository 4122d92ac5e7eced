"""Where a call was served."""

from __future__ import annotations

import pytest

from agent.pricing.regions import region_of


@pytest.mark.parametrize(
    ("provider", "host", "geo", "region"),
    [
        ("anthropic", "api.anthropic.com", "us", "us"),
        ("anthropic", "api.anthropic.com", "global", ""),
        ("anthropic", "api.anthropic.com", "not_available", ""),
        ("openai", "api.openai.com", "", ""),
        ("openai", "eu.api.openai.com", "", "eu"),
        ("openai", "evil.eu.api.openai.com.example", "", ""),
        ("gcp.vertex_ai", "aiplatform.googleapis.com", "", ""),
        ("gcp.vertex_ai", "europe-west4-aiplatform.googleapis.com", "", "regional"),
        ("gcp.vertex_ai", "aiplatform.us.rep.googleapis.com", "", "regional"),
        ("aws.bedrock", "bedrock-runtime.eu-west-2.amazonaws.com", "", ""),
        ("aws.bedrock", "bedrock-runtime.us-gov-west-1.amazonaws.com", "", "us-gov-west-1"),
        ("unknown", "eu.api.openai.com", "", ""),
    ],
)
def test_the_answer_before_the_host(provider: str, host: str, geo: str, region: str) -> None:
    """What the response says comes first; the host's name counts only where that provider's prices go by it."""
    assert region_of(provider, host, geo) == region
