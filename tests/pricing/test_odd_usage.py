"""Whatever an answer states, there is a cost or a reason: never an exception, never a negative amount."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from agent.model import Cost, Unpriced, Usage
from agent.pricing import Pricer, recompute
from tests.pricing.calls import call

PRICER = Pricer()
COUNTS = st.none() | st.integers(min_value=-5, max_value=10**15)
LENGTHS = st.none() | st.floats(min_value=-10, max_value=1e12) | st.sampled_from([float("nan"), float("inf")])
USAGES = st.builds(Usage, **{field.name: LENGTHS if "float" in str(field.type) else COUNTS for field in fields(Usage)})
SERVED = st.sampled_from(
    [
        ("openai", "gpt-5.6-sol"),
        ("openai", "gpt-realtime"),
        ("openai", "dall-e-3"),
        ("gcp.gemini", "gemini-2.5-pro"),
        ("anthropic", "claude-haiku-5-5"),
        ("mistral_ai", "mistral-ocr-latest"),
        ("groq", "whisper-large-v3"),
        ("tavily", ""),
        ("unknown", "gpt-4o"),
    ]
)
WORDS = st.text(max_size=20) | st.sampled_from(["flex", "batch", "fast", "us", "1024x1024/hd"])
TOOLS = st.dictionaries(
    st.sampled_from(["web_search", "code_interpreter", "mcp", "x", "google_maps"]), COUNTS.map(lambda n: n or 0)
)


@given(usage=USAGES, served=SERVED, tier=WORDS, speed=WORDS, geo=WORDS, variant=WORDS, tools=TOOLS)
def test_there_is_a_cost_or_a_reason(
    usage: Usage, served: tuple[str, str], tier: str, speed: str, geo: str, variant: str, tools: dict[str, int]
) -> None:
    """Contradictions are cut to fit and told; the lines add up to the total, and recompute."""
    made = call(*served, usage, tier=tier, speed=speed, geo=geo, variant=variant, tools=tools)
    cost = PRICER.price(made)
    if isinstance(cost, Unpriced):
        assert cost.reason
        return
    assert isinstance(cost, Cost)
    assert cost.total_usd.is_finite()
    assert all(line.amount_usd >= 0 and line.quantity > 0 for line in cost.lines)
    assert abs(recompute(cost) - cost.total_usd) <= cost.total_usd * Decimal("1e-20")


@given(model=st.text(max_size=300), provider=st.sampled_from(["openai", "gcp.gemini", "aws.bedrock", "tavily", "x_ai"]))
def test_any_name_is_a_question(model: str, provider: str) -> None:
    """Names come from pods: line ends, brackets and zero bytes are names like others."""
    assert isinstance(PRICER.price(call(provider, model)), Cost | Unpriced)
