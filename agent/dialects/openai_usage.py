"""
OpenAI's ``usage`` object in all the readings that compatible servers give it.

Theory: prompt includes cached tokens, completion includes reasoning, total is their sum.
Practice: xAI's chat keeps reasoning outside completion, Mistral keeps audio outside prompt, Portkey what Anthropic cached, Gemini's
compatible route hides thoughts altogether; the total gives each away.  Azure-hosted Grok states more cached tokens than prompt.
Source: https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from decimal import Decimal

from agent.dialects.answers import gateway_cost
from agent.dialects.values import Json, count, get, mapping, seconds, usd
from agent.model import Usage
from agent.values import value

_XAI_TICKS_PER_USD = 10**10


@value(frozen=True, slots=True, kw_only=True)
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
    into, out = _details(usage, "prompt", "input"), _details(usage, "completion", "output")

    cached = _first(into, "cached_tokens")
    if cached is None:
        # DeepSeek; Mistral; Together and Moonshot; LiteLLM in front of Anthropic.
        cached = _first(
            usage, "prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens", "cache_read_input_tokens"
        )
    written = _first(into, "cache_write_tokens", "cache_creation_tokens")
    if written is None:
        written = _first(usage, "cache_creation_input_tokens")
    reasoning = _first(out, "reasoning_tokens")
    if reasoning is None:
        reasoning = count(usage.get("reasoning_tokens"))
        # Perplexity's deep research thinks far more than it says, and counts that beside the completion and the total.
        if reasoning is not None and completion is not None and reasoning > completion:
            total = None if total is None else total + reasoning
    audio_in = count(into.get("audio_tokens"))

    if prompt is None and completion is None and total is not None:
        prompt = total  # Voyage states nothing else
    if total is not None and prompt is not None and completion is not None:
        missing = total - prompt - completion
        if missing < 0:
            remarks.append("parts_exceed_total")
        elif missing:
            if missing == reasoning:
                completion += missing
            elif missing == audio_in:
                prompt += missing
            elif missing == (reasoning or 0) + (audio_in or 0):
                completion += reasoning or 0
                prompt += audio_in or 0
            elif missing == (cached or 0) + (written or 0):
                prompt += missing  # Portkey in front of Anthropic, which counts what it cached beside the input
            elif provider in ("gcp.gemini", "gcp.vertex_ai") or "gemini" in model:
                completion += missing
            else:
                remarks.append("total_exceeds_parts")

    return UsageReading(
        usage=Usage(
            input_tokens=prompt,
            output_tokens=completion,
            cache_read_input_tokens=part(cached, prompt, "cached_exceeds_input", remarks),
            cache_write_input_tokens=part(written, prompt, "cache_write_exceeds_input", remarks),
            cache_write_1h_input_tokens=part(  # LiteLLM in front of Anthropic
                count(get(into, "cache_creation_token_details", "ephemeral_1h_input_tokens")),
                written,
                "cache_write_1h_exceeds_cache_write",
                remarks,
            ),
            cache_write_12h_input_tokens=part(
                count(mapping(into.get("cache_write_tokens_details")).get("ttl_12h_tokens")),
                written,
                "cache_write_12h_exceeds_cache_write",
                remarks,
            ),
            reasoning_output_tokens=part(reasoning, completion, "reasoning_exceeds_output", remarks),
            audio_input_tokens=part(audio_in, prompt, "modality_exceeds_input", remarks),
            audio_output_tokens=part(count(out.get("audio_tokens")), completion, "modality_exceeds_output", remarks),
            image_input_tokens=part(count(into.get("image_tokens")), prompt, "modality_exceeds_input", remarks),
            image_output_tokens=part(count(out.get("image_tokens")), completion, "modality_exceeds_output", remarks),
            video_input_tokens=part(count(into.get("video_tokens")), prompt, "modality_exceeds_input", remarks),
            audio_seconds=seconds(usage.get("prompt_audio_seconds")),  # Mistral
            cache_read_audio_input_tokens=count(get(into, "cached_tokens_details", "audio_tokens")),
            cache_read_image_input_tokens=count(get(into, "cached_tokens_details", "image_tokens")),
        ),
        stated=prompt is not None or completion is not None,
        reported_cost_usd=_cost(usage, provider),
        remarks=tuple(dict.fromkeys(remarks)),
    )


def part(value: int | None, whole: int | None, rule: str, remarks: list[str]) -> int | None:
    """A part is at most its whole: cut to fit, and the rule that was broken told."""
    if value is None or whole is None or value <= whole:
        return value
    remarks.append(rule)
    return whole


def _details(usage: Json, *sides: str) -> Json:
    """Writer says "token" where the others say "tokens"."""
    for side in sides:
        for tokens in ("tokens", "token"):
            if details := mapping(usage.get(f"{side}_{tokens}_details")):
                return details
    return {}


def _first(values: Json, *names: str) -> int | None:
    for name in names:
        if (found := count(values.get(name))) is not None:
            return found
    return None


def _cost(usage: Json, provider: str) -> Decimal | None:
    """A price that stands in the usage: xAI's ticks, OpenRouter's number, Perplexity's object, Pydantic's gateway."""
    if provider.startswith("azure."):
        return None  # Azure bills by its own list; the Grok that it hosts states 0 for everything
    ticks = count(usage.get("cost_in_usd_ticks"))
    if ticks is not None:
        return Decimal(ticks) / _XAI_TICKS_PER_USD
    cost = usage.get("cost")
    if isinstance(cost, dict):
        return usd(cost.get("total_cost"))
    stated = usd(cost)
    if stated is not None and usage.get("is_byok") is True:
        # OpenRouter with the customer's own key: `cost` is OpenRouter's fee, the vendor sends a bill of its own.
        return stated + (usd(mapping(usage.get("cost_details")).get("upstream_inference_cost")) or 0)
    return stated if stated is not None else gateway_cost(usage)
