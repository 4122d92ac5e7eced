"""
What the head of an answer says about the call behind it: the provider's id, and what a gateway tells of its own call.

LiteLLM passes its provider's headers on, each behind ``llm_provider-``, names the model it asked whatever alias it was asked for, and of an answer
from its own cache tells the key, and neither a cost nor the headers of a provider.
Reference: https://docs.litellm.ai/docs/proxy/response_headers
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.dialects.values import usd
from agent.model import NOT_PASSED_ON, Evidence, PassedOn, Reading, Usage

_REQUEST_IDS = (
    "apim-request-id",  # Azure sends both; support asks for this one
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "mistral-correlation-id",
    "x-debug-trace-id",
    "x-generation-id",
    "x-ds-trace-id",
    "x-litellm-call-id",
)
# In the order of those, so that both sides of a gateway name the same one of several.
_PASSED_ON = tuple(f"llm_provider-{name}" for name in _REQUEST_IDS[:4])
_CACHED = "answered_from_gateway_cache"


def request_id_of(headers: Mapping[str, str]) -> str:
    return next((headers[name] for name in _REQUEST_IDS if name in headers), "")


def passed_on_of(headers: Mapping[str, str]) -> PassedOn:
    request_id = next((headers[name] for name in _PASSED_ON if name in headers), "")
    model = headers.get("x-litellm-model-name", "")
    # Most answers are nobody's who passes something on.
    return PassedOn(request_id=request_id, model=model) if request_id or model else NOT_PASSED_ON


def cached_by_gateway(headers: Mapping[str, str]) -> bool:
    """Whether no provider was asked."""
    costs = usd(headers.get("x-litellm-response-cost"))
    return "x-litellm-cache-key" in headers and not costs and not any(name in headers for name in _PASSED_ON)


def without_usage(reading: Reading) -> Reading:
    """A cached answer repeats the usage, and in streams the cost, of the one that it is a copy of: that was counted when it was made."""
    return replace(
        reading,
        usage=Usage(),
        extra_usage=(),
        usage_by_model=(),
        server_tool_calls={},
        estimate=None,
        reported_cost_usd=None,
        evidence=Evidence.NOT_APPLICABLE,
        remarks=(*reading.remarks, _CACHED),
    )
