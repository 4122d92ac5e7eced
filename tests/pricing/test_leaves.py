"""Usage into types that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Usage
from agent.pricing.leaves import TokenType, disjoint, split, states_tokens

COUNTS = st.none() | st.integers(min_value=0, max_value=3000)
TOKEN_FIELDS = tuple(name for name in Usage.__dataclass_fields__ if name.endswith("_tokens"))
USAGES = st.builds(Usage, **dict.fromkeys(TOKEN_FIELDS, COUNTS))
OUTPUT_TYPES = frozenset(
    {
        TokenType.OUTPUT,
        TokenType.REASONING,
        TokenType.OUTPUT_AUDIO,
        TokenType.OUTPUT_IMAGE,
    }
)


def test_every_part_leaves_its_whole() -> None:
    """Input without what was cached, written, heard, seen and made by tools; output without reasoning."""
    usage = Usage(
        input_tokens=10_000,
        output_tokens=500,
        cache_write_input_tokens=4000,
        cache_write_1h_input_tokens=1500,
        reasoning_output_tokens=120,
        audio_output_tokens=30,
        image_output_tokens=50,
    )
    assert disjoint(usage) == {
        TokenType.INPUT: 6000,
        TokenType.CACHE_WRITE: 2500,
        TokenType.CACHE_WRITE_1H: 1500,
        TokenType.OUTPUT: 300,
        TokenType.REASONING: 120,
        TokenType.OUTPUT_AUDIO: 30,
        TokenType.OUTPUT_IMAGE: 50,
    }
    assert split(usage).remarks == ()


def test_input_modalities_leave_the_input() -> None:
    """Audio, image and video have prices of their own; so has what Gemini's tools made."""
    usage = Usage(
        input_tokens=1000,
        audio_input_tokens=100,
        image_input_tokens=200,
        video_input_tokens=300,
        tool_use_input_tokens=50,
    )
    assert disjoint(usage) == {
        TokenType.INPUT: 350,
        TokenType.INPUT_AUDIO: 100,
        TokenType.INPUT_IMAGE: 200,
        TokenType.INPUT_VIDEO: 300,
        TokenType.TOOL_USE: 50,
    }


@pytest.mark.parametrize(
    ("usage", "counts", "remark"),
    [
        (
            Usage(input_tokens=10, cache_read_input_tokens=12),
            {TokenType.CACHE_READ: 10},
            "cached_exceeds_input",
        ),
        (
            Usage(input_tokens=10, cache_read_input_tokens=6, cache_write_input_tokens=6),
            {TokenType.CACHE_READ: 6, TokenType.CACHE_WRITE: 4},
            "cache_write_exceeds_input",
        ),
        (
            Usage(input_tokens=10, cache_write_input_tokens=4, cache_write_1h_input_tokens=5),
            {TokenType.INPUT: 6, TokenType.CACHE_WRITE_1H: 4},
            "cache_write_1h_exceeds_cache_write",
        ),
        (
            Usage(input_tokens=10, audio_input_tokens=11),
            {TokenType.INPUT_AUDIO: 10},
            "modality_exceeds_input",
        ),
        (
            Usage(input_tokens=10, cache_read_input_tokens=8, audio_input_tokens=5),
            {TokenType.CACHE_READ: 8, TokenType.INPUT_AUDIO: 2},
            "cached_modality_unknown",
        ),
        (
            Usage(
                input_tokens=10,
                cache_write_input_tokens=4,
                cache_write_1h_input_tokens=1,
                cache_write_12h_input_tokens=4,
            ),
            {TokenType.INPUT: 6, TokenType.CACHE_WRITE_1H: 1, TokenType.CACHE_WRITE_12H: 3},
            "cache_write_12h_exceeds_cache_write",
        ),
        (
            Usage(input_tokens=10, cache_read_input_tokens=2, cache_read_audio_input_tokens=3, audio_input_tokens=5),
            {TokenType.INPUT: 5, TokenType.CACHE_READ_AUDIO: 2, TokenType.INPUT_AUDIO: 3},
            "modality_exceeds_cached",
        ),
        (Usage(cache_read_input_tokens=7), {TokenType.CACHE_READ: 7}, "input_not_stated"),
        (Usage(output_tokens=5, reasoning_output_tokens=6), {TokenType.REASONING: 5}, "reasoning_exceeds_output"),
        (Usage(output_tokens=5, image_output_tokens=6), {TokenType.OUTPUT_IMAGE: 5}, "modality_exceeds_output"),
        (Usage(reasoning_output_tokens=6), {TokenType.REASONING: 6}, "output_not_stated"),
    ],
)
def test_what_exceeds_is_cut_and_told(usage: Usage, counts: dict[TokenType, int], remark: str) -> None:
    """The whole stands, the part gives way, and a word says which rule was broken."""
    assert disjoint(usage) == counts
    assert split(usage).remarks == (remark,)


def test_cached_modalities_leave_their_modality() -> None:
    """Of 300 audio tokens 200 came from the cache, of 500 cached ones 300 were text: nothing is unknown then."""
    usage = Usage(
        input_tokens=1000,
        cache_read_input_tokens=500,
        cache_read_audio_input_tokens=200,
        cache_read_image_input_tokens=0,
        audio_input_tokens=300,
    )
    assert disjoint(usage) == {
        TokenType.INPUT: 400,
        TokenType.CACHE_READ: 300,
        TokenType.CACHE_READ_AUDIO: 200,
        TokenType.INPUT_AUDIO: 100,
    }
    assert split(usage).remarks == ()


@given(USAGES)
def test_leaves_add_up_to_the_whole(usage: Usage) -> None:
    """Whatever was stated: no count is 0 or below, and a stated whole is neither more nor less than its leaves."""
    counts = disjoint(usage)
    made = sum(count for kind, count in counts.items() if kind in OUTPUT_TYPES)
    taken = sum(counts.values()) - made
    assert all(count > 0 for count in counts.values())
    assert taken == split(usage).input_tokens
    assert usage.input_tokens in (None, taken)
    assert usage.output_tokens in (None, made)


@pytest.mark.parametrize("name", TOKEN_FIELDS)
def test_any_stated_count_is_a_statement(name: str) -> None:
    """Also a stated 0, which is not the same as silence."""
    assert states_tokens(Usage(**{name: 0}))


def test_silence_is_silence() -> None:
    """Seconds and pages are not tokens."""
    assert not states_tokens(Usage())
    assert not states_tokens(Usage(audio_seconds=3.0, pages=2, search_units=1))
    assert disjoint(Usage()) == {}
