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

    __hash__ = str.__hash__  # Enum's own is Python, and rates are looked up by it

    INPUT = "input"
    """Neither cached nor of a special modality."""
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    """Kept for the provider's usual time: minutes."""
    CACHE_WRITE_1H = "cache_write_1h"
    CACHE_WRITE_12H = "cache_write_12h"
    CACHE_READ_AUDIO = "cache_read_audio"
    """Only where the provider says which modality the cached tokens had."""
    CACHE_READ_IMAGE = "cache_read_image"
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
    cache_write_12h_exceeds_cache_write modality_exceeds_input modality_exceeds_cached reasoning_exceeds_output
    modality_exceeds_output cached_modality_unknown``"""


_INPUT_TYPES = (
    TokenType.INPUT,
    TokenType.CACHE_READ,
    TokenType.CACHE_READ_AUDIO,
    TokenType.CACHE_READ_IMAGE,
    TokenType.CACHE_WRITE,
    TokenType.CACHE_WRITE_1H,
    TokenType.CACHE_WRITE_12H,
    TokenType.INPUT_AUDIO,
    TokenType.INPUT_IMAGE,
    TokenType.INPUT_VIDEO,
    TokenType.TOOL_USE,
)
_OUTPUT_TYPES = (TokenType.REASONING, TokenType.OUTPUT_AUDIO, TokenType.OUTPUT_IMAGE)


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
        usage.cache_write_12h_input_tokens,
        usage.cache_read_audio_input_tokens,
        usage.cache_read_image_input_tokens,
        usage.tool_use_input_tokens,
        usage.audio_input_tokens,
        usage.image_input_tokens,
        usage.video_input_tokens,
    )


def _output_parts(usage: Usage) -> tuple[int | None, ...]:
    return usage.reasoning_output_tokens, usage.audio_output_tokens, usage.image_output_tokens


def _input(usage: Usage, counts: list[tuple[TokenType, int]], remarks: list[str]) -> int:
    stated = _input_parts(usage)
    whole = usage.input_tokens
    if not any(stated):
        whole = max(whole or 0, 0)
        if whole:
            counts.append((TokenType.INPUT, whole))
        return whole
    read, written, hour, half_day, read_audio, read_image, tool, audio, image, video = (
        max(part or 0, 0) for part in stated
    )
    if usage.cache_write_input_tokens is None:
        written = hour + half_day
    # The breakdown can be less than the total (the rest is kept for minutes), never more.
    if hour > written:
        hour = written
        remarks.append("cache_write_1h_exceeds_cache_write")
    if half_day > written - hour:
        half_day = written - hour
        remarks.append("cache_write_12h_exceeds_cache_write")
    if usage.cache_read_input_tokens is None:
        read = read_audio + read_image
    parts = read + written + tool + audio + image + video
    if whole is None:
        whole = parts
        if parts:
            remarks.append("input_not_stated")
    whole = room = max(whole, 0)
    if read > room:
        read = room
        remarks.append("cached_exceeds_input")
    room -= read
    if written > room:
        written, hour = room, min(hour, room)
        half_day = min(half_day, room - hour)
        remarks.append("cache_write_exceeds_input")
    room -= written
    if audio + image + video + tool > whole:
        remarks.append("modality_exceeds_input")
    if read_audio or read_image:
        if read_audio + read_image > read:
            read_audio = min(read_audio, read)
            read_image = min(read_image, read - read_audio)
            remarks.append("modality_exceeds_cached")
        # What was cached of a modality is part of its count.
        audio, image = max(audio - read_audio, 0), max(image - read_image, 0)
    elif 0 < audio + image + video + tool <= whole and read + written and _cached_modality_unknown(usage):
        # Nobody says which modality the cached part had.  Text is taken to be cached first, the rest of the special tokens is cut.
        remarks.append("cached_modality_unknown")
    kept = []
    for count in (audio, image, video, tool):
        kept.append(min(count, room))
        room -= kept[-1]
    split_writes = (written - hour - half_day, hour, half_day)
    for kind, count in zip(
        _INPUT_TYPES,
        (room, read - read_audio - read_image, read_audio, read_image, *split_writes, *kept),
        strict=True,
    ):
        if count:
            counts.append((kind, count))
    return whole


def _cached_modality_unknown(usage: Usage) -> bool:
    """A stated 0 says that none of the cached tokens was audio or image."""
    return usage.cache_read_audio_input_tokens is None and usage.cache_read_image_input_tokens is None


def _output(usage: Usage, counts: list[tuple[TokenType, int]], remarks: list[str]) -> None:
    stated = _output_parts(usage)
    whole = usage.output_tokens
    if not any(stated):
        if whole and whole > 0:
            counts.append((TokenType.OUTPUT, whole))
        return
    reasoning, *modalities = (max(part or 0, 0) for part in stated)
    if whole is None:
        whole = reasoning + sum(modalities)
        if whole:
            remarks.append("output_not_stated")
    room = max(whole, 0)
    if reasoning > room:
        reasoning = room
        remarks.append("reasoning_exceeds_output")
    if sum(modalities) > room - reasoning:
        remarks.append("modality_exceeds_output")
    room -= reasoning
    kept = [reasoning]
    for count in modalities:
        kept.append(min(count, room))
        room -= kept[-1]
    for kind, count in zip(_OUTPUT_TYPES, kept, strict=True):
        if count:
            counts.append((kind, count))
    if room:
        counts.append((TokenType.OUTPUT, room))
