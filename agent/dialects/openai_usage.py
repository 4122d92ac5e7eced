"""
OpenAI's ``usage`` object in all the readings that compatible servers give it.

Theory: prompt includes cached tokens, completion includes reasoning, total is their sum.
Practice: xAI's chat keeps reasoning outside completion, Mistral keeps audio outside prompt, Gemini's compatible route hides thoughts
altogether; the total gives each away.  Azure-hosted Grok states more cached tokens than prompt.
Source: https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agent.dialects.values import Json, count, get, mapping, usd
from agent.model import Usage

_XAI_TICKS_PER_USD = 10**10


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReading:
    usage: Usage
    stated: bool
    """At least one of input and output was there."""
    reported_cost_usd: Decimal | None
    remarks: tuple[str, ...]


def read_usage(usage: Json, *, provider: str = "", model: str = "") -> UsageReading:
    """Chat, completions, embeddings (``prompt_tokens`` …) and Responses (``input_tokens`` …)."""
    remarks: list[str] = []
    prompt = _first(usage, "prompt_tokens", "input_tokens")
    completion = _first(usage, "completion_tokens", "output_tokens")
    total = count(usage.get("total_tokens"))
    into = mapping(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    out = mapping(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))

    cached = _first(into, "cached_tokens")
    if cached is None:
        # DeepSeek; Mistral; Together.
        cached = _first(usage, "prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens")
    written = _first(into, "cache_write_tokens", "cache_creation_tokens")
    reasoning = _first(out, "reasoning_tokens")
    if reasoning is None:
        reasoning = count(usage.get("reasoning_tokens"))  # Perplexity
    audio_in = count(into.get("audio_tokens"))

    if prompt is None and completion is None and total is not None:
        prompt = total  # Voyage states nothing else
    if total is not None and prompt is not None and completion is not None and total > prompt + completion:
        missing = total - prompt - completion
        if missing == reasoning:
            completion += missing
        elif missing == audio_in:
            prompt += missing
        elif provider in ("gcp.gemini", "gcp.vertex_ai") or "gemini" in model:
            completion += missing
        else:
            remarks.append("total_exceeds_parts")
    if cached is not None and prompt is not None and cached > prompt:
        cached = prompt
        remarks.append("cached_exceeds_input")
    if reasoning is not None and completion is not None and reasoning > completion:
        reasoning = completion
        remarks.append("reasoning_exceeds_output")

    return UsageReading(
        usage=Usage(
            input_tokens=prompt,
            output_tokens=completion,
            cache_read_input_tokens=cached,
            cache_write_input_tokens=written,
            reasoning_output_tokens=reasoning,
            audio_input_tokens=audio_in,
            audio_output_tokens=count(out.get("audio_tokens")),
            image_input_tokens=count(into.get("image_tokens")),
            image_output_tokens=count(out.get("image_tokens")),
            video_input_tokens=count(into.get("video_tokens")),
        ),
        stated=prompt is not None or completion is not None,
        reported_cost_usd=_cost(usage),
        remarks=tuple(remarks),
    )


def _first(values: Json, *names: str) -> int | None:
    return next((found for name in names if (found := count(values.get(name))) is not None), None)


def _cost(usage: Json) -> Decimal | None:
    """A price that stands in the usage: xAI's ticks, OpenRouter's number, Perplexity's object, Pydantic's gateway."""
    ticks = count(usage.get("cost_in_usd_ticks"))
    if ticks is not None:
        return Decimal(ticks) / _XAI_TICKS_PER_USD
    cost = usage.get("cost")
    if isinstance(cost, dict):
        return usd(cost.get("total_cost"))
    if cost is not None:
        return usd(cost)
    return usd(get(usage, "pydantic_ai_gateway", "cost_estimate"))
