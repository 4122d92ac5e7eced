"""What calls cost, computed by hand from the providers' price lists (US dollars per million tokens)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.model import Call, Cost, CostSource, Evidence, ExtraUsage, Outcome, Unpriced, Usage
from agent.pricing import Pricer, engine
from tests.pricing.calls import call

PRICER = Pricer()


def price(*args: object, **options: object) -> Cost:
    cost = PRICER.price(call(*args, **options))  # type: ignore[arg-type]
    assert isinstance(cost, Cost), cost
    return cost


def reason(*args: object, **options: object) -> str:
    unpriced = PRICER.price(call(*args, **options))  # type: ignore[arg-type]
    assert isinstance(unpriced, Unpriced), unpriced
    return unpriced.reason


def lines(cost: Cost) -> dict[str, Decimal]:
    return {line.unit: line.amount_usd for line in cost.lines}


# ------------------------------------------------------------------------------------------------------- by hand, per API


def test_openai_with_cached_input() -> None:
    """600 × 0.15 + 400 × 0.075 + 200 × 0.60: cached tokens are inside the prompt, reasoning inside the completion."""
    usage = Usage(input_tokens=1000, output_tokens=200, cache_read_input_tokens=400, reasoning_output_tokens=50)
    cost = price("openai", "gpt-4o-mini-2024-07-18", usage)
    assert cost.total_usd == Decimal("0.00024")
    assert lines(cost) == {
        "input": Decimal("0.00009"),
        "cache_read": Decimal("0.00003"),
        "reasoning": Decimal("0.00003"),
        "output": Decimal("0.00009"),
    }
    assert (cost.rule, cost.source, cost.remarks) == ("openai/gpt-4o-mini", CostSource.PRICE_BOOK, ())
    assert cost.price_book == PRICER.price_book


def test_anthropic_with_both_kinds_of_cache_writes() -> None:
    """1000 × 3 + 5000 × 0.30 + 2500 × 3.75 + 1500 × 6 + 300 × 15: an hour's write costs twice the input."""
    usage = Usage(
        input_tokens=10_000,
        output_tokens=300,
        cache_read_input_tokens=5000,
        cache_write_input_tokens=4000,
        cache_write_1h_input_tokens=1500,
    )
    assert price("anthropic", "claude-sonnet-4-6", usage).total_usd == Decimal("0.027375")


def test_gemini_thoughts_cost_like_output() -> None:
    """1000 × 0.30 + (60 + 240) × 2.50."""
    usage = Usage(input_tokens=1000, output_tokens=300, reasoning_output_tokens=240)
    assert price("gcp.gemini", "gemini-2.5-flash", usage).total_usd == Decimal("0.00105")


def test_long_context_is_a_cliff() -> None:
    """At 200,000 tokens 1.25 and 10; one more, and all tokens cost 2.50 and 15, output too."""
    below = price("gcp.gemini", "gemini-2.5-pro", Usage(input_tokens=200_000, output_tokens=1000))
    above = price("gcp.gemini", "gemini-2.5-pro", Usage(input_tokens=200_001, output_tokens=1000))
    assert (below.total_usd, below.rule) == (Decimal("0.26"), "google/gemini-2.5-pro")
    assert (above.total_usd, above.rule) == (Decimal("0.5150025"), "google/gemini-2.5-pro input>200000")


def test_embeddings_have_no_output() -> None:
    """500 × 0.02."""
    assert price("openai", "text-embedding-3-small", Usage(input_tokens=500)).total_usd == Decimal("0.00001")


# ------------------------------------------------------------------------------------------------------------------ tiers


def test_the_served_tier_is_priced() -> None:
    """gpt-5 at priority: 600 × 2.50 + 400 × 0.25 + 200 × 20; at flex half of 1.25, 0.125 and 10."""
    usage = Usage(input_tokens=1000, output_tokens=200, cache_read_input_tokens=400)
    priority = price("openai", "gpt-5", usage, tier="priority")
    assert (priority.total_usd, priority.rule) == (Decimal("0.0056"), "openai/gpt-5 service_tier=priority")
    assert price("openai", "gpt-5", usage, tier="flex").total_usd == Decimal("0.0014")
    assert price("openai", "gpt-5", usage, tier="default").total_usd == Decimal("0.0028")
    assert priority.remarks == ()


def test_batch_costs_half() -> None:
    """Anthropic says in the usage that a message was part of a batch: 1000 × 1.50 + 200 × 7.50."""
    cost = price("anthropic", "claude-sonnet-4-6", tier="batch")
    assert (cost.total_usd, cost.rule) == (Decimal("0.003"), "anthropic/claude-sonnet-4-6 processing=batch")


@pytest.mark.parametrize(
    ("provider", "served", "selector", "at", "remark"),
    [
        ("openai", "gpt-5", {"tier": "ultrafast"}, "2026-11-20", "tier_not_priced"),
        ("openai", "gpt-5", {"tier": "priority"}, "2026-06-01", "tier_not_priced"),
        ("azure.ai.openai", "gpt-5", {"tier": "flex"}, "2026-11-20", "tier_not_priced"),
        ("gcp.vertex_ai", "gemini-2.5-pro", {"tier": "ON_DEMAND_PRIORITY"}, "2026-11-20", "tier_not_priced"),
        ("anthropic", "claude-sonnet-4-6", {"tier": "priority"}, "2026-11-20", "tier_not_priced"),
        ("anthropic", "claude-sonnet-4-6", {"speed": "fast"}, "2026-11-20", "speed_not_priced"),
        ("anthropic", "claude-sonnet-4-5", {"geo": "us"}, "2026-11-20", "geo_not_priced"),
    ],
)
def test_what_the_book_has_no_price_for_is_remarked(
    provider: str, served: str, selector: dict[str, str], at: str, remark: str
) -> None:
    """Standard prices then, and a word that says so: unknown tiers, those before the day from which the book knows them,
    and those of another provider for the same model."""
    cost = price(provider, served, at=at, **selector)
    assert cost.remarks == (remark,)
    assert "=" not in cost.rule
    assert cost.total_usd == price(provider, served, at=at).total_usd


def test_anthropic_fast_mode() -> None:
    """Opus 5 in fast mode costs twice its 5 and 25."""
    cost = price("anthropic", "claude-opus-5", speed="fast")
    assert (cost.total_usd, cost.remarks) == (price("anthropic", "claude-opus-5").total_usd * 2, ())


# --------------------------------------------------------------------------------------------------- order of preference


def test_reported_cost_wins() -> None:
    """Over every table, also for a provider that has none."""
    cost = price("openrouter", "openai/gpt-4o", reported=Decimal("0.0042"))
    assert (cost.total_usd, cost.source, cost.price_book) == (Decimal("0.0042"), CostSource.PROVIDER, "")
    assert price("unknown", "house-model", Usage(), reported=Decimal(0)).total_usd == 0


def test_reported_cost_checks_the_book() -> None:
    """Equal but for rounding: nothing to say; else a word, and the provider is believed."""
    assert price(reported=Decimal("0.00027")).remarks == ()
    assert price(reported=Decimal("0.000272")).remarks == ()
    differs = price(reported=Decimal("0.0005"), remarks=("total_exceeds_parts",))
    assert (differs.total_usd, differs.remarks) == (Decimal("0.0005"), ("total_exceeds_parts", "price_book_differs"))


def test_absurd_reported_cost_does_not_win() -> None:
    """A negative amount or NaN is a remark, and the table prices."""
    for absurd in (Decimal(-1), Decimal("NaN"), Decimal("Infinity")):
        cost = price(reported=absurd)
        assert (cost.total_usd, cost.remarks) == (price().total_usd, ("reported_cost_invalid",))


def test_served_model_before_requested() -> None:
    """A deployment's name is no model; the alias and what it served differ in price."""
    assert price(served="gpt-4o", requested="gpt-4o-mini").rule == "openai/gpt-4o"
    assert price(served="", requested="gpt-4o-mini").remarks == ()
    cost = price(served="house-model", requested="gpt-4o-mini")
    assert (cost.rule, cost.remarks) == ("openai/gpt-4o-mini", ("requested_model_priced",))


def test_price_of_the_day() -> None:
    """Opus 4.6 above 200,000 tokens cost twice the input price until 2026-03-12."""
    usage = Usage(input_tokens=300_000, output_tokens=0)
    assert price("anthropic", "claude-opus-4-6", usage, at="2026-03-12").total_usd == Decimal(3)
    assert price("anthropic", "claude-opus-4-6", usage, at="2026-03-13").total_usd == Decimal("1.5")


@pytest.mark.parametrize(
    ("expected", "options"),
    [
        ("unknown_model", {"served": "house-model-7"}),
        ("unknown_model", {"served": ""}),
        ("unknown_provider", {"provider": "unknown", "served": "gpt-4o"}),
        ("unknown_provider", {"provider": "google", "served": "gemini-2.5-pro"}),
        ("no_usage", {"usage": Usage(), "evidence": Evidence.ABSENT}),
        ("no_usage", {"usage": Usage(), "evidence": Evidence.ABSENT, "provider": "unknown"}),
        ("not_billed", {"usage": Usage(), "evidence": Evidence.NOT_APPLICABLE}),
        ("not_billed", {"usage": Usage(), "evidence": Evidence.ABSENT, "outcome": Outcome.RATE_LIMITED}),
        ("unknown_unit", {"usage": Usage(audio_seconds=7.5)}),
        ("unknown_unit", {"provider": "mistral_ai", "served": "mistral-ocr-latest"}),
    ],
)
def test_without_a_price_there_is_a_reason(expected: str, options: dict[str, object]) -> None:
    """Never 0, and never the price of a model of the same name elsewhere."""
    assert reason(**options) == expected


def test_stated_zero_is_free() -> None:
    """A provider that says 0 tokens is not one that says nothing."""
    assert price(usage=Usage(input_tokens=0, output_tokens=0)).total_usd == 0


def test_cut_calls_cost_at_least_what_was_seen() -> None:
    """A lower bound: input is known from the stream's first event, output is not."""
    cost = price("anthropic", "claude-sonnet-4-6", Usage(input_tokens=1000), evidence=Evidence.PARTIAL)
    assert cost.total_usd == Decimal("0.003")


def test_contradictions_are_priced_and_remarked() -> None:
    """More cached than there was: 10 × 0.075, and the dialect's own remarks stay."""
    cost = price(usage=Usage(input_tokens=10, cache_read_input_tokens=12), remarks=("total_exceeds_parts",))
    assert cost.total_usd == Decimal("0.00000075")
    assert cost.remarks == ("total_exceeds_parts", "cached_exceeds_input")


def test_audio_without_its_cached_part() -> None:
    """Gemini may say how much audio and how much cached there was, and not how much of the audio was cached."""
    usage = Usage(input_tokens=1000, output_tokens=10, cache_read_input_tokens=500, audio_input_tokens=300)
    cost = price("gcp.gemini", "gemini-2.5-flash", usage)
    # 200 × 0.30 + 500 × 0.03 + 300 × 1.00 + 10 × 2.50
    assert (cost.total_usd, cost.remarks) == (Decimal("0.0004"), ("cached_modality_unknown",))


def test_units_beside_tokens_are_not_forgotten() -> None:
    """Seconds next to tokens have no price here yet: the tokens are priced and the rest is told."""
    assert price(usage=Usage(input_tokens=1, audio_seconds=2.0)).remarks == ("units_not_priced",)


# ------------------------------------------------------------------------------------------------------- extras and tools


def test_extra_usage_is_added_with_its_own_model() -> None:
    """Sonnet 1000 × 3 + 200 × 15, a compaction by Haiku 4.5 of 50,000 × 1 + 100 × 5, and one by the model itself."""
    usage = Usage(input_tokens=50_000, output_tokens=100)
    extra = (
        ExtraUsage(kind="compaction", model="claude-haiku-4-5-20251001", usage=usage),
        ExtraUsage(kind="advisor_message", model="", usage=usage),
        ExtraUsage(kind="fallback_message", model="", usage=Usage()),
    )
    cost = price("anthropic", "claude-sonnet-4-6", extra=extra)
    assert cost.total_usd == Decimal("0.006") + Decimal("0.0505") + Decimal("0.1515")
    assert lines(cost)["compaction input"] == Decimal("0.05")
    assert lines(cost)["advisor_message output"] == Decimal("0.0015")
    assert cost.remarks == ()


def test_extra_usage_of_an_unknown_model() -> None:
    """What is certain is priced, and a word says that there was more."""
    extra = (ExtraUsage(kind="compaction", model="house-model", usage=Usage(input_tokens=1)),)
    cost = price("anthropic", "claude-sonnet-4-6", extra=extra)
    assert (cost.total_usd, cost.remarks) == (Decimal("0.006"), ("extra_unpriced",))


def test_guardrails_cost_by_policy() -> None:
    """Beside a model's tokens (5.5 + 27.5) and alone: 4 × 0.15 and 2 × 0.75 a thousand; what is free is free."""
    extra = tuple(
        ExtraUsage(kind=f"guardrail_{kind}", model="", usage=Usage(guardrail_units=units))
        for kind, units in (
            ("contentPolicyUnits", 4),
            ("contentPolicyImageUnits", 2),
            ("sensitiveInformationPolicyFreeUnits", 9),
        )
    )
    usage = Usage(input_tokens=1000, output_tokens=1000)
    beside = price("aws.bedrock", "us.anthropic.claude-opus-5", usage, extra=extra)
    assert beside.total_usd == Decimal("0.033") + Decimal("0.0021")
    alone = price("aws.bedrock", "", Usage(), extra=extra, evidence=Evidence.REPORTED)
    assert (alone.total_usd, alone.remarks) == (Decimal("0.0021"), ())
    nothing = (ExtraUsage(kind="compaction", model="house-model", usage=Usage(input_tokens=1)),)
    assert reason("aws.bedrock", "", Usage(), extra=nothing) == "no_usage"


def test_latency_optimised_bedrock_is_not_standard() -> None:
    """It costs more and no list says how much: the standard price, and a word."""
    usage = Usage(input_tokens=1000, output_tokens=1000)
    cost = price("aws.bedrock", "us.anthropic.claude-opus-5", usage, variant="optimized")
    assert cost.remarks == ("speed_not_priced",)


def test_searches_cost_by_the_call() -> None:
    """Two at 10 dollars a thousand, once, however many extra usages there are; fetches are free, the rest is told."""
    extra = (ExtraUsage(kind="compaction", model="", usage=Usage(input_tokens=0, output_tokens=0)),)
    cost = price("anthropic", "claude-sonnet-4-6", tools={"web_search": 2, "web_fetch": 3}, extra=extra)
    assert lines(cost)["web_search"] == Decimal("0.02")
    assert (cost.total_usd, cost.remarks) == (Decimal("0.026"), ())
    cost = price("anthropic", "claude-sonnet-4-6", tools={"code_execution": 1, "web_search": 0})
    assert (cost.total_usd, cost.remarks) == (Decimal("0.006"), ("tools_not_priced",))


# ----------------------------------------------------------------------------------------------------------------- memory


def test_invented_models_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come from pods: what is remembered is bounded."""
    monkeypatch.setattr(engine, "_MAX_REMEMBERED", 8)
    pricer = Pricer()
    for number in range(50):
        pricer.price(call(served=f"gpt-4o-{number}"))
    assert len(pricer._plans) <= 8


def test_remembered_prices_end_with_their_minute() -> None:
    """DeepSeek's price changed at 16:30 in 2025: the call of 16:29 does not decide on the next one's."""
    pricer = Pricer()
    costs = [
        pricer.price(call("deepseek", "deepseek-chat", at=f"2025-03-20T16:{minute}:59")) for minute in (29, 30, 29)
    ]
    assert costs[0] == costs[2]
    assert costs[0] != costs[1]


def test_a_name_without_a_price_costs_what_the_models_behind_it_do() -> None:
    """Groq's compound systems: one usage, and how it divides; what of it nobody knows is a remark, and nothing of it known is no price."""
    parts = (
        ExtraUsage(kind="part", model="llama-3.3-70b-versatile", usage=Usage(input_tokens=1000, output_tokens=100)),
        ExtraUsage(kind="part", model="openai/gpt-oss-120b", usage=Usage(input_tokens=2000, output_tokens=200)),
    )
    made = call("groq", "groq/compound", Usage(input_tokens=3000, output_tokens=300))

    def divided(*some: ExtraUsage) -> Call:
        return replace(made, reading=replace(made.reading, usage_by_model=some))

    cost = PRICER.price(divided(*parts))
    alone = [PRICER.price(call("groq", part.model, part.usage)) for part in parts]
    assert isinstance(cost, Cost)
    assert all(isinstance(one, Cost) for one in alone)
    assert cost.total_usd == sum(one.total_usd for one in alone if isinstance(one, Cost))
    assert {line.unit.partition(" ")[0] for line in cost.lines} == {part.model for part in parts}
    unknown = replace(parts[0], model="house-model")
    half = PRICER.price(divided(parts[1], unknown))
    assert isinstance(half, Cost)
    assert (half.total_usd < cost.total_usd, "part_unpriced" in half.remarks) == (True, True)
    assert PRICER.price(divided(unknown)) == PRICER.price(made) == Unpriced(reason="unknown_model")
