"""Bugs that other price libraries had in public, each under its name: we must not have them."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from agent.model import Cost, CostSource, Evidence, Unpriced, Usage
from agent.pricing import Pricer
from tests.pricing.calls import call

PRICER = Pricer()
K = Usage(input_tokens=1000, output_tokens=1000)


def price(*args: object, **options: object) -> Cost:
    cost = PRICER.price(call(*args, **options))  # type: ignore[arg-type]
    assert isinstance(cost, Cost), cost
    return cost


@pytest.mark.parametrize(
    "bug",
    [
        "litellm#9812",
        "litellm#11364",
        "langfuse#5568",
        "langfuse#10592",
        "langfuse#12306",
        "langfuse#13807",
        "openlit#1378",
    ],
)
def test_cached_tokens_are_billed_once(bug: str) -> None:
    """Totals that include the cache and totals that don't: our input always includes it, and the cached part costs its own price alone."""
    usage = Usage(input_tokens=10_000, output_tokens=100, cache_read_input_tokens=8000, cache_write_input_tokens=1000)
    # 1000 × 3 + 8000 × 0.30 + 1000 × 3.75 + 100 × 15
    cost = price("anthropic", "claude-sonnet-4-6", usage)
    assert cost.total_usd == Decimal("0.01065")
    assert sum(line.quantity for line in cost.lines) == 10_100
    # 2000 × 2.50 + 8000 × 1.25 + 100 × 10
    included = Usage(input_tokens=10_000, output_tokens=100, cache_read_input_tokens=8000)
    assert price("openai", "gpt-4o", included).total_usd == Decimal("0.016")


def test_litellm_42663_breakdown_below_its_total() -> None:
    """Server tools iterate and the split by lifetime covers the first turn alone: the rest of the writes costs the base price, not nothing."""
    usage = Usage(
        input_tokens=120_000, output_tokens=0, cache_write_input_tokens=100_000, cache_write_1h_input_tokens=10_000
    )
    # 20,000 × 3 + 90,000 × 3.75 + 10,000 × 6
    assert price("anthropic", "claude-sonnet-4-6", usage).total_usd == Decimal("0.4575")


def test_litellm_18599_reasoning_is_a_part_not_the_whole() -> None:
    """Only the reasoning was billed there; here text and reasoning add up to the output: 500 × 10."""
    usage = Usage(input_tokens=0, output_tokens=500, reasoning_output_tokens=400)
    cost = price("openai", "gpt-5", usage)
    assert cost.total_usd == Decimal("0.005")
    assert {line.unit: line.quantity for line in cost.lines} == {"reasoning": 400, "output": 100}


def test_langfuse_12531_thoughts_of_gemini() -> None:
    """They stand beside the candidates on the wire and cost like output: (240 + 60) × 2.50."""
    usage = Usage(input_tokens=0, output_tokens=300, reasoning_output_tokens=240)
    assert price("gcp.gemini", "gemini-2.5-flash", usage).total_usd == Decimal("0.00075")


@pytest.mark.parametrize("bug", ["PostHog#94200", "litellm#13810"])
def test_the_served_tier_is_priced(bug: str) -> None:
    """Asked for priority and served by default, a call costs the default; flex and priority cost what they cost."""
    assert price("openai", "gpt-5", K, tier="default").total_usd == Decimal("0.01125")
    assert price("openai", "gpt-5", K, tier="flex").total_usd == Decimal("0.005625")
    assert price("openai", "gpt-5", K, tier="priority").total_usd == Decimal("0.0225")


def test_litellm_38615_long_context_is_not_flat() -> None:
    """A flat rate logged half of the invoice: beyond 200,000 tokens of input, cached ones included, every token costs the higher price."""
    usage = Usage(input_tokens=250_000, output_tokens=1000, cache_read_input_tokens=200_000)
    # 50,000 × 2.50 + 200,000 × 0.25 + 1000 × 15
    assert price("gcp.gemini", "gemini-2.5-pro", usage).total_usd == Decimal("0.19")


@pytest.mark.parametrize(
    ("bug", "served"),
    [
        ("genai-prices#689", "us.anthropic.claude-opus-5-v1:0"),
        ("litellm#26795", "eu.anthropic.claude-opus-5"),
        ("litellm#42469", "anthropic.claude-opus-5"),
    ],
)
def test_regions_of_bedrock(bug: str, served: str) -> None:
    """In a region, by profile or directly (eu-west-2), a model costs 10 % more than globally, whatever its id ends in."""
    host = "bedrock-runtime.eu-west-2.amazonaws.com"
    assert price("aws.bedrock", served, K, host=host).total_usd == Decimal("0.033")
    assert price("aws.bedrock", "global.anthropic.claude-opus-5", K, host=host).total_usd == Decimal("0.030")


@pytest.mark.parametrize("bug", ["openai-openapi#539", "tokenjam#628", "sub2api#4408"])
def test_an_aborted_stream_is_not_free(bug: str) -> None:
    """Without a usage chunk the cost is unknown, and what was seen of it is a lower bound: never 0."""
    absent = PRICER.price(call("openai", "gpt-4o", Usage(), evidence=Evidence.ABSENT))
    assert absent == Unpriced(reason="no_usage")
    assert price("openai", "gpt-4o", Usage(input_tokens=1000), evidence=Evidence.PARTIAL).total_usd == Decimal("0.0025")


@pytest.mark.parametrize("bug", ["litellm#39441", "semantic-conventions-genai#443"])
def test_the_cost_that_the_provider_reports_is_billed(bug: str) -> None:
    """And its source stands beside it."""
    cost = price("x_ai", "grok-4.3", K, reported=Decimal("0.0006306"))
    assert (cost.total_usd, cost.source) == (Decimal("0.0006306"), CostSource.PROVIDER)


def test_genai_prices_raises_for_audio_without_cached_details() -> None:
    """``ValueError: Missing usage for cache_audio_read_tokens``: here a remark, and every token priced."""
    usage = Usage(input_tokens=1000, output_tokens=10, cache_read_input_tokens=500, audio_input_tokens=300)
    cost = price("gcp.gemini", "gemini-2.5-flash", usage)
    assert (cost.total_usd, cost.remarks) == (Decimal("0.0004"), ("cached_modality_unknown",))


def test_genai_prices_twelve_hour_writes() -> None:
    """$0.1225 instead of $0.2350 for such a call there; here 20,000 × 10, not × 5."""
    usage = Usage(input_tokens=20_000, cache_write_input_tokens=20_000, cache_write_12h_input_tokens=20_000)
    assert price("openai", "gpt-5.6-sol", usage).total_usd == Decimal("0.2")


def test_genai_prices_ultrafast() -> None:
    """$0.06 instead of $0.36 for a thousand tokens each way."""
    assert price("openai", "gpt-6-astra", K, tier="ultrafast").total_usd == Decimal("0.36")


def test_genai_prices_fine_tuned_models_of_2025() -> None:
    """``LookupError`` for ft:gpt-4.1: 3 + 12."""
    assert price("openai", "ft:gpt-4.1-2025-04-14:org::id", K).total_usd == Decimal("0.015")


def test_genai_prices_weekends_of_deepseek() -> None:
    """Its peak hours know no weekdays, so weekends cost double there."""
    saturday, monday = "2026-11-21T08:00:00", "2026-11-23T08:00:00"
    assert price("deepseek", "deepseek-v4-flash", K, at=saturday).total_usd == Decimal("0.00075")
    assert price("deepseek", "deepseek-v4-flash", K, at=monday).total_usd == Decimal("0.0015")


@pytest.mark.parametrize(
    ("provider", "served", "usage", "variant"),
    [
        ("openai", "dall-e-3", Usage(images=1), "1024x1024"),
        ("openai", "sora-2", Usage(video_seconds=4.0), ""),
        ("gcp.gemini", "veo-3.1-generate-001", Usage(video_seconds=4.0), ""),
        ("gcp.gemini", "imagen-4.0-generate-001", Usage(images=1), ""),
        ("cohere", "rerank-v3.5", Usage(search_units=1), ""),
        ("aws.bedrock", "amazon.rerank-v1:0", Usage(search_units=1), ""),
    ],
)
def test_genai_prices_lacks_these(provider: str, served: str, usage: Usage, variant: str) -> None:
    """Pictures, films and reranking have prices; a model that nobody lists has none, not 0."""
    assert price(provider, served, usage, variant=variant).total_usd > 0


def test_openlit_unknown_models_are_not_free() -> None:
    """It returns 0 for a model that it does not know."""
    assert PRICER.price(call("openai", "house-model-9", K)) == Unpriced(reason="unknown_model")


def test_azure_grok_states_more_cached_than_prompt() -> None:
    """32 of 42 recorded answers do: cut to fit and told, never a negative amount."""
    cost = price("azure.ai.openai", "gpt-4.1", Usage(input_tokens=100, output_tokens=0, cache_read_input_tokens=180))
    assert all(line.amount_usd > 0 for line in cost.lines)
    assert cost.remarks == ("cached_exceeds_input",)


def test_every_bug_of_the_list_is_named_here() -> None:
    """docs/pricing.md lists them; a name without a test, or a test that the list forgets, is found."""
    page = (Path(__file__).parents[2] / "docs" / "pricing.md").read_text(encoding="utf-8")
    table = page.partition("## Bugs that others had in public")[2].partition("\n## ")[0]
    listed = set(re.findall(r"([\w-]+)#(\d+)", table))
    here = Path(__file__).read_text(encoding="utf-8")
    named = set(re.findall(r'"([\w-]+)#(\d+)"', here)) | set(re.findall(r"def test_([a-z]+)_(\d+)_", here))
    assert len(listed) == 21
    assert listed == named
