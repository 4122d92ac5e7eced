"""
Usage taken apart into leaves that do not overlap, so that tokens and money can be added up.

Theory: OpenTelemetry's counters are inclusive: input holds cache reads and writes, output holds reasoning.
Practice: providers state parts that exceed their whole.  Then the whole stands, parts are cut to fit it, and a remark says which rule
was broken: never an exception, never a negative count.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from agent.model import Usage


class TokenType(enum.StrEnum):
    """A kind of token with a price of its own.  Every token of a call is of exactly one type."""

    INPUT = "input"
    """Neither cached nor of a special modality."""
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    """Kept for the provider's usual time: minutes."""
    CACHE_WRITE_1H = "cache_write_1h"
    TOOL_USE = "tool_use"
    """Input that the provider's own tools made (Gemini)."""
    INPUT_AUDIO = "input_audio"
    INPUT_IMAGE = "input_image"
    INPUT_VIDEO = "input_video"
    OUTPUT = "output"
    """Without reasoning."""
    REASONING = "reasoning"
    OUTPUT_AUDIO = "output_audio"
    OUTPUT_IMAGE = "output_image"


class Leaves(NamedTuple):
    """A NamedTuple, as one is made for every call, twice."""

    counts: tuple[tuple[TokenType, int], ...]
    """Only what is above 0."""
    input_tokens: int
    """All input: what thresholds of long-context prices are compared with."""
    remarks: tuple[str, ...]
    """``input_not_stated output_not_stated cached_exceeds_input cache_write_exceeds_input cache_write_1h_exceeds_cache_write
    modality_exceeds_input reasoning_exceeds_output modality_exceeds_output cached_modality_unknown``"""


_INPUT_MODALITIES = (TokenType.INPUT_AUDIO, TokenType.INPUT_IMAGE, TokenType.INPUT_VIDEO)
_OUTPUT_MODALITIES = (TokenType.OUTPUT_AUDIO, TokenType.OUTPUT_IMAGE)


def disjoint(usage: Usage) -> dict[TokenType, int]:
    """Tokens by type; types that are not stated or 0 are left out."""
    return dict(split(usage).counts)


def states_tokens(usage: Usage) -> bool:
    """Whether any token count was stated at all; a stated 0 counts."""
    return (
        usage.input_tokens is not None
        or usage.output_tokens is not None
        or any(part is not None for part in _input_parts(usage))
        or any(part is not None for part in _output_parts(usage))
    )


def split(usage: Usage) -> Leaves:
    """The leaves of ``usage`` and what was odd about it.  Where the usage is consistent, they add up to its input and output."""
    remarks: list[str] = []
    counts: list[tuple[TokenType, int]] = []
    whole_input = _input(usage, counts, remarks)
    _output(usage, counts, remarks)
    return Leaves(tuple(counts), whole_input, tuple(remarks))


def _input_parts(usage: Usage) -> tuple[int | None, ...]:
    return (
        usage.cache_read_input_tokens,
        usage.cache_write_input_tokens,
        usage.cache_write_1h_input_tokens,
        usage.tool_use_input_tokens,
        usage.audio_input_tokens,
        usage.image_input_tokens,
        usage.video_input_tokens,
    )


def _output_parts(usage: Usage) -> tuple[int | None, ...]:
    return usage.reasoning_output_tokens, usage.audio_output_tokens, usage.image_output_tokens


def _input(usage: Usage, counts: list[tuple[TokenType, int]], remarks: list[str]) -> int:
    read, written, hour, tool, *modalities = (max(part or 0, 0) for part in _input_parts(usage))
    if usage.cache_write_input_tokens is None:
        written = hour
    elif hour > written:
        # The breakdown can be less than the total (the rest is kept for minutes), never more.
        hour = written
        remarks.append("cache_write_1h_exceeds_cache_write")
    parts = read + written + tool + sum(modalities)
    whole = usage.input_tokens
    if whole is None:
        whole = parts
        if parts:
            remarks.append("input_not_stated")
    elif whole < 0:
        whole = 0
    if not parts:
        if whole:
            counts.append((TokenType.INPUT, whole))
        return whole

    room = whole
    if read > room:
        read = room
        remarks.append("cached_exceeds_input")
    room -= read
    if written > room:
        written, hour = room, min(hour, room)
        remarks.append("cache_write_exceeds_input")
    room -= written
    special = tool + sum(modalities)
    if special > whole:
        remarks.append("modality_exceeds_input")
    elif special and read + written:
        # Nobody says which modality the cached part had.  Text is taken to be cached first, the rest of the special tokens is cut.
        remarks.append("cached_modality_unknown")
    kept = []
    for count in (*modalities, tool):
        kept.append(min(count, room))
        room -= kept[-1]
    for kind, count in zip(
        (
            TokenType.INPUT,
            TokenType.CACHE_READ,
            TokenType.CACHE_WRITE,
            TokenType.CACHE_WRITE_1H,
            *_INPUT_MODALITIES,
            TokenType.TOOL_USE,
        ),
        (room, read, written - hour, hour, *kept),
        strict=True,
    ):
        if count:
            counts.append((kind, count))
    return whole


def _output(usage: Usage, counts: list[tuple[TokenType, int]], remarks: list[str]) -> None:
    reasoning, *modalities = (max(part or 0, 0) for part in _output_parts(usage))
    parts = reasoning + sum(modalities)
    whole = usage.output_tokens
    if whole is None:
        whole = parts
        if parts:
            remarks.append("output_not_stated")
    room = max(whole, 0)
    if parts:
        if reasoning > room:
            reasoning = room
            remarks.append("reasoning_exceeds_output")
        room -= reasoning
        if sum(modalities) > room:
            remarks.append("modality_exceeds_output")
        kept = []
        for count in modalities:
            kept.append(min(count, room))
            room -= kept[-1]
        for kind, count in zip((TokenType.REASONING, *_OUTPUT_MODALITIES), (reasoning, *kept), strict=True):
            if count:
                counts.append((kind, count))
    if room:
        counts.append((TokenType.OUTPUT, room))
