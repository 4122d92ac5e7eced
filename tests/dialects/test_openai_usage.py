"""OpenAI's usage in the readings of those who speak its API.  Figures are those of real recordings."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.dialects.helpers import chat, counts


def test_openai_prompt_includes_cached_tokens() -> None:
    """Nothing is added."""
    reading = chat(
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 64},
        }
    )
    assert (counts(reading), reading.usage.cache_read_input_tokens) == ((100, 20), 64)


def test_xai_chat_keeps_reasoning_outside_completion() -> None:
    """268 = 204 + 2 + 62."""
    usage = {
        "prompt_tokens": 204,
        "completion_tokens": 2,
        "total_tokens": 268,
        "completion_tokens_details": {"reasoning_tokens": 62},
    }
    assert counts(chat(usage, "api.x.ai")) == (204, 64)


def test_geminis_compatible_route_hides_thoughts() -> None:
    """total 109 is not 35 + 12: what is missing was made, and is billed as output."""
    reading = chat(
        {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
        "generativelanguage.googleapis.com",
        "/v1beta/openai/chat/completions",
    )
    assert counts(reading) == (35, 74)


def test_elsewhere_an_unexplained_total_is_a_remark_not_a_guess() -> None:
    """Counts stay as stated."""
    reading = chat({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109})
    assert (counts(reading), reading.remarks) == ((35, 12), ("total_exceeds_parts",))


def test_mistral_keeps_audio_outside_the_prompt() -> None:
    """632 = 9 + 375 + 248."""
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 248,
        "total_tokens": 632,
        "prompt_tokens_details": {"audio_tokens": 375},
    }
    reading = chat(usage, "api.mistral.ai")
    assert (counts(reading), reading.usage.audio_input_tokens) == ((384, 248), 375)


def test_portkey_keeps_what_anthropic_cached_outside_the_prompt() -> None:
    """2519 = 92 + 59 + 2368; and with a part that was read from the cache, stated twice."""
    usage = {
        "prompt_tokens": 92,
        "completion_tokens": 59,
        "total_tokens": 2519,
        "prompt_tokens_details": {"cached_tokens": 0},
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 2368,
    }
    reading = chat(usage, "portkey")
    assert (counts(reading), reading.usage.cache_write_input_tokens, reading.remarks) == ((2460, 59), 2368, ())
    read = {"prompt_tokens_details": {"cached_tokens": 640}, "cache_read_input_tokens": 640, "total_tokens": 3159}
    reading = chat(usage | read, "portkey")
    assert (counts(reading), reading.usage.cache_read_input_tokens, reading.remarks) == ((3100, 59), 640, ())


def test_litellm_tells_which_writes_are_kept_for_an_hour() -> None:
    """Anthropic's two prices for a write, in OpenAI's shape."""
    usage = {
        "prompt_tokens": 1448,
        "completion_tokens": 9,
        "total_tokens": 1457,
        "prompt_tokens_details": {
            "cached_tokens": 0,
            "cache_creation_tokens": 1251,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 51, "ephemeral_1h_input_tokens": 1200},
        },
        "cache_creation_input_tokens": 1251,
        "cache_read_input_tokens": 0,
    }
    read = chat(usage, "litellm").usage
    assert (read.cache_write_input_tokens, read.cache_write_1h_input_tokens) == (1251, 1200)


def test_more_cached_than_prompt_is_cut_to_fit() -> None:
    """Azure-hosted Grok; never a negative."""
    reading = chat(
        {
            "prompt_tokens": 10,
            "completion_tokens": 1,
            "total_tokens": 11,
            "prompt_tokens_details": {"cached_tokens": 50},
        },
        "x.services.ai.azure.com",
        "/models/chat/completions",
    )
    assert (reading.usage.cache_read_input_tokens, reading.remarks) == (10, ("cached_exceeds_input",))


def test_deepseek_names_its_cache_otherwise() -> None:
    """P = hit + miss."""
    reading = chat(
        {
            "prompt_tokens": 30,
            "completion_tokens": 1,
            "total_tokens": 31,
            "prompt_cache_hit_tokens": 20,
            "prompt_cache_miss_tokens": 10,
        },
        "api.deepseek.com",
    )
    assert reading.usage.cache_read_input_tokens == 20


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost_in_usd_ticks": 6306000}, "0.0006306"),
        ({"cost": 0.0021}, "0.0021"),
        ({"cost": {"total_cost": 0.006}}, "0.006"),
        ({"pydantic_ai_gateway": {"cost_estimate": 0.5}}, "0.5"),
        ({"cost": -1}, None),
        ({"cost": "NaN"}, None),
        ({"cost": True}, None),
    ],
)
def test_a_cost_in_the_usage(usage: dict[str, object], cost: str | None) -> None:
    """xAI's ticks, OpenRouter, Perplexity, a gateway; nonsense is not a cost."""
    reading = chat({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, **usage})
    assert reading.reported_cost_usd == (Decimal(cost) if cost else None)


def test_reasoning_and_audio_can_both_be_outside() -> None:
    """100 = 10 + 5 + 60 + 25: each goes where it belongs."""
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 100,
        "prompt_tokens_details": {"audio_tokens": 25},
        "completion_tokens_details": {"reasoning_tokens": 60},
    }
    assert counts(chat(usage, "api.x.ai")) == (35, 65)


def test_audio_outside_and_reasoning_inside() -> None:
    """What is missing says which of the two it is."""
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 248,
        "total_tokens": 632,
        "prompt_tokens_details": {"audio_tokens": 375},
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    assert counts(chat(usage, "api.mistral.ai")) == (384, 248)


def test_reasoning_inside_the_completion_stays_there() -> None:
    """When the total is explained nothing is added: OpenAI, and xAI's Responses."""
    usage = {
        "input_tokens": 204,
        "output_tokens": 64,
        "total_tokens": 268,
        "output_tokens_details": {"reasoning_tokens": 62},
    }
    reading = chat(usage, "api.x.ai", "/v1/responses")
    assert (counts(reading), reading.usage.reasoning_output_tokens, reading.remarks) == ((204, 64), 62, ())


def test_perplexitys_deep_research_thinks_beside_its_completion() -> None:
    """More thoughts than completion can't be inside of it; the total leaves them out too."""
    usage = {"prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196, "reasoning_tokens": 73997}
    reading = chat(usage, "api.perplexity.ai", "/chat/completions")
    assert (counts(reading), reading.usage.reasoning_output_tokens) == ((33, 81160), 73997)


@pytest.mark.parametrize(
    ("usage", "cached", "written"),
    [
        ({"prompt_token_details": {"cached_tokens": 3}, "completion_token_details": {}}, 3, None),
        ({"num_cached_tokens": 4}, 4, None),
        ({"cached_tokens": 5}, 5, None),
        ({"cache_read_input_tokens": 6, "cache_creation_input_tokens": 2}, 6, 2),
        ({"prompt_tokens_details": {"cached_tokens": 7, "cache_write_tokens": 1}, "cached_tokens": 9}, 7, 1),
        ({"prompt_tokens_details": {"cached_tokens": 0}}, 0, None),
        ({"prompt_tokens_details": None}, None, None),
    ],
)
def test_where_cached_tokens_stand(usage: dict[str, object], cached: int | None, written: int | None) -> None:
    """Writer, Mistral, Together and Moonshot, LiteLLM, OpenRouter, OpenAI; 0 is stated, nothing is not."""
    reading = chat({"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11, **usage})
    assert (reading.usage.cache_read_input_tokens, reading.usage.cache_write_input_tokens) == (cached, written)
    assert counts(reading) == (10, 1)


def test_a_total_below_its_parts_is_a_remark() -> None:
    """Nothing is taken off."""
    reading = chat({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 12})
    assert (counts(reading), reading.remarks) == ((10, 5), ("parts_exceed_total",))


def test_parts_never_exceed_their_whole() -> None:
    """Each is cut to fit, each rule is told once."""
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 10,
        "total_tokens": 20,
        "prompt_tokens_details": {"cache_write_tokens": 11, "audio_tokens": 12, "image_tokens": 13},
        "completion_tokens_details": {"reasoning_tokens": 11, "audio_tokens": 3},
    }
    reading = chat(usage)
    read = reading.usage
    assert (read.cache_write_input_tokens, read.audio_input_tokens, read.image_input_tokens) == (10, 10, 10)
    assert (read.reasoning_output_tokens, read.audio_output_tokens) == (10, 3)
    assert reading.remarks == ("cache_write_exceeds_input", "reasoning_exceeds_output", "modality_exceeds_input")


def test_a_total_alone_is_input() -> None:
    """Voyage states nothing else; its calls make no output."""
    assert counts(chat({"total_tokens": 8}, "api.voyageai.com", "/v1/embeddings")) == (8, None)


def test_seconds_of_audio_are_kept() -> None:
    """Mistral bills them beside tokens."""
    usage = {"prompt_tokens": 24, "completion_tokens": 27, "total_tokens": 51, "prompt_audio_seconds": 10}
    assert chat(usage, "api.mistral.ai").usage.audio_seconds == 10


def test_the_grok_that_azure_hosts_states_no_cost() -> None:
    """It says 0 for everything, and Azure's bill does not."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost_in_usd_ticks": 0}
    assert chat(usage, "r.services.ai.azure.com", "/openai/v1/chat/completions").reported_cost_usd is None
    assert chat(usage, "api.x.ai").reported_cost_usd == 0


def test_with_ones_own_key_openrouter_states_its_fee_and_the_vendors_bill() -> None:
    """Both are paid."""
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "cost": 0.0001,
        "is_byok": True,
        "cost_details": {"upstream_inference_cost": 0.002},
    }
    assert chat(usage, "openrouter.ai").reported_cost_usd == Decimal("0.0021")
    assert chat({**usage, "is_byok": False}, "openrouter.ai").reported_cost_usd == Decimal("0.0001")
