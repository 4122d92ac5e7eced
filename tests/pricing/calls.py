"""Calls for tests of prices: one function, everything else a default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

from agent.model import Call, ConnId, Evidence, ExtraUsage, Outcome, Reading, Usage

AT = "2026-11-20"


def at_ns(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * 10**9


def call(
    provider: str = "openai",
    served: str = "gpt-4o-mini-2024-07-18",
    usage: Usage | None = None,
    *,
    requested: str = "",
    evidence: Evidence = Evidence.REPORTED,
    outcome: Outcome = Outcome.OK,
    at: str = AT,
    tier: str = "",
    speed: str = "",
    geo: str = "",
    reported: Decimal | None = None,
    extra: tuple[ExtraUsage, ...] = (),
    tools: Mapping[str, int] = MappingProxyType({}),
    remarks: tuple[str, ...] = (),
    variant: str = "",
    host: str = "api.example.com",
    api: str = "openai/chat",
    seconds: int = 1,
) -> Call:
    """A call that ended at ``at``."""
    ended = at_ns(at)
    return Call(
        conn=ConnId(pid=1, pointer=2, born_ns=3),
        stream_id=1,
        cgroup_id=4,
        provider=provider,
        api=api,
        host=host,
        status=200,
        outcome=outcome,
        started_at_ns=ended - seconds * 10**9,
        first_byte_at_ns=ended - 10**8,
        first_token_at_ns=0,
        ended_at_ns=ended,
        reading=Reading(
            operation="chat",
            requested_model=requested,
            served_model=served,
            usage=Usage(input_tokens=1000, output_tokens=200) if usage is None else usage,
            extra_usage=extra,
            evidence=evidence,
            server_tool_calls=tools,
            service_tier=tier,
            inference_geo=geo,
            speed=speed,
            reported_cost_usd=reported,
            remarks=remarks,
            variant=variant,
        ),
    )
