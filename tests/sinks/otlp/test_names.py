"""Today's names, those of before, and both."""

from __future__ import annotations

from agent.sinks.otlp.names import Semconv, Value, spelled

TODAY: dict[str, Value] = {
    "gen_ai.provider.name": "x_ai",
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.usage.cache_write.input_tokens": 2,
    "openai.response.service_tier": "flex",
    "gen_ai.request.model": "grok",
}


def test_current_is_untouched() -> None:
    """Nothing of before is sent."""
    assert spelled(TODAY, Semconv.CURRENT) == TODAY


def test_legacy_has_the_old_names_alone() -> None:
    """Renamed ones change, unchanged ones stay, xAI has its old name."""
    assert spelled(TODAY, Semconv.LEGACY) == {
        "gen_ai.system": "xai",
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.prompt_tokens": 5,
        "gen_ai.usage.cache_creation.input_tokens": 2,
        "gen_ai.openai.response.service_tier": "flex",
        "gen_ai.request.model": "grok",
    }


def test_both_is_the_union() -> None:
    """A backend finds whichever it looks for."""
    assert spelled(TODAY, Semconv.BOTH) == TODAY | spelled(TODAY, Semconv.LEGACY)
