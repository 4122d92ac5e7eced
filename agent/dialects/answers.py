"""What the answers of all APIs have in common: evidence without usage, costs of gateways, tools of the provider, halves of bodies."""

from __future__ import annotations

import re
from decimal import Decimal

from agent.dialects.values import Json, count, get, mapping, parse, usd, word
from agent.model import Evidence, ResponseHead

# A model may ask for many tools; thousands of names in one answer are an attack on our memory.
MAX_TOOL_CALLS = 256

# A tier's name of ours: served by the call, though its deployment is paid for in advance.
SPILLOVER = "spillover"

_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\\0-\x1f]{1,256})"')
_COST_HEADERS = ("x-litellm-response-cost", "pydantic-ai-gateway-price-estimate")


def evidence_without_usage(status: int, *, served: bool) -> Evidence:
    """What is known of a call that states no usage."""
    # 101: a session, whose turns are answers.
    if served and (status in (0, 101) or 200 <= status < 300):
        return Evidence.ABSENT
    return Evidence.NOT_APPLICABLE


def request_fields(body: bytes, complete: bool) -> tuple[str, str]:
    """Model and service tier of a request, the model also of one of which only a part was seen."""
    request = parse(body) if complete else None
    if isinstance(request, dict):
        return word(request.get("model")), word(request.get("service_tier"))
    return model_in_part(body), ""


def model_in_part(body: bytes) -> str:
    """
    The first model named in half a body.  In a string the quotes would be escaped, so the key is a real one.

    A name with a hole in it (a zero byte) is none: what is left may be another model's.
    """
    found = _MODEL.search(body)
    return found[1].decode("utf-8", "replace") if found else ""


def header_cost(head: ResponseHead) -> Decimal | None:
    """What a gateway says this call costs: LiteLLM, Pydantic's."""
    return next((cost for name in _COST_HEADERS if (cost := usd(head.headers.get(name))) is not None), None)


def tier_of(head: ResponseHead, stated: str) -> str:
    """The tier that was served: Azure says in heads what it did with a call, also that committed capacity was full and it went elsewhere."""
    if head.headers.get("x-ms-is-spilled-over", "").lower() == "true":
        return SPILLOVER
    return stated or word(head.headers.get("azureai-processed-tier"))


def gateway_cost(usage: Json) -> Decimal | None:
    """Pydantic's gateway writes its estimate into the usage of every vendor's shape."""
    return usd(get(usage, "pydantic_ai_gateway", "cost_estimate"))


def stated_server_tools(usage: Json) -> dict[str, int]:
    """Counts of the tools that the provider ran, where the usage has them: Anthropic, OpenRouter, xAI."""
    found: dict[str, int] = {}
    for name in ("server_tool_use", "server_tool_use_details", "server_side_tool_usage_details"):
        for key, value in list(mapping(usage.get(name)).items())[:MAX_TOOL_CALLS]:
            number = count(value)
            if number:
                found[word(key).removesuffix("_requests").removesuffix("_calls")] = number
    return found


class Tally:
    """Counts names, a bounded number of them."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, name: str) -> None:
        if name and (name in self.counts or len(self.counts) < MAX_TOOL_CALLS):
            self.counts[name] = self.counts.get(name, 0) + 1
