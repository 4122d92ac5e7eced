"""What Bedrock's own APIs have in common: ``usage`` of Converse, and the units that guardrails bill."""

from __future__ import annotations

from agent.dialects.answers import MAX_TOOL_CALLS
from agent.dialects.openai_usage import part
from agent.dialects.values import Json, count, get, items, mapping
from agent.model import ExtraUsage, Usage

# Automatic reasoning, contextual grounding, content …; ``…FreeUnits`` are what the name says.
_POLICY = "PolicyUnits"
_IMAGES = "PolicyImageUnits"


def converse_usage(usage: Json, remarks: list[str]) -> Usage:
    """Each cache counter stands there twice, under two names; the input excludes both."""
    fresh, made = count(usage.get("inputTokens")), count(usage.get("outputTokens"))
    read = _either(usage, "cacheReadInputTokens", "cacheReadInputTokenCount")
    written = _either(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    hours = [
        count(get(detail, "inputTokens")) or 0
        for detail in items(usage.get("cacheDetails"))
        if get(detail, "ttl") == "1h"
    ]
    whole = None
    if fresh is not None:
        whole = fresh + (read or 0) + (written or 0)
        total = count(usage.get("totalTokens"))
        # Some models leave the cache out of the total, too.
        if total is not None and made is not None and total not in (whole + made, fresh + made):
            remarks.append("total_exceeds_parts" if total > whole + made else "parts_exceed_total")
    return Usage(
        input_tokens=whole,
        output_tokens=made,
        cache_read_input_tokens=read,
        cache_write_input_tokens=written,
        cache_write_1h_input_tokens=part(sum(hours), written, "cache_write_1h_exceeds_cache_write", remarks)
        if hours
        else None,
    )


def guardrail_units(trace: object) -> list[ExtraUsage]:
    """What the policies of guardrails looked at: one entry a policy, over all assessments of a trace."""
    units: dict[str, int] = {}
    for name in ("inputAssessment", "outputAssessments", "input", "outputs"):
        _add(mapping(trace).get(name), units)
    return extra_units(units)


def extra_units(units: dict[str, int]) -> list[ExtraUsage]:
    """One entry a policy."""
    return [
        ExtraUsage(kind=f"guardrail_{name}", model="", usage=Usage(guardrail_units=number))
        for name, number in units.items()
        if number
    ]


def add_units(usage: object, units: dict[str, int]) -> None:
    """The counters of one assessment."""
    for name, value in list(mapping(usage).items())[:MAX_TOOL_CALLS]:
        if name.endswith((_POLICY, _IMAGES)):
            units[name] = units.get(name, 0) + (count(value) or 0)


def _add(assessments: object, units: dict[str, int], depth: int = 0) -> None:
    """Assessments stand in objects by guardrail, in lists of these, or in lists inside such objects."""
    if depth > 3:
        return
    if isinstance(assessments, list):
        for one in assessments[:MAX_TOOL_CALLS]:
            _add(one, units, depth + 1)
    elif isinstance(assessments, dict):
        usage = get(assessments, "invocationMetrics", "usage")
        if usage is not None:
            add_units(usage, units)
            return
        for one in list(assessments.values())[:MAX_TOOL_CALLS]:
            _add(one, units, depth + 1)


def _either(usage: Json, *names: str) -> int | None:
    return next((found for name in names if (found := count(usage.get(name))) is not None), None)
