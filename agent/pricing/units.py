"""
Everything that is billed: kinds of tokens (``leaves.py``), and what is counted beside them.

A unit's name is its name in price files, in lines of a cost and in metrics: ``web_search``, ``page``, ``gpu_second``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from decimal import Decimal

from agent.model import Call, Usage
from agent.pricing.leaves import TokenType


class Measure(enum.StrEnum):
    """What is billed beside tokens.  One of them is what the name says."""

    __hash__ = str.__hash__  # as TokenType's

    REQUEST = "request"
    WEB_SEARCH = "web_search"
    GROUNDED_PROMPT = "grounded_prompt"
    """An answer with any number of searches (Gemini up to 2.5)."""
    SOCIAL_SEARCH = "social_search"
    STORAGE_SEARCH = "storage_search"
    MAPS_SEARCH = "maps_search"
    CODE_SESSION = "code_session"
    """A container for code, however often it is used while it lives."""
    CODE_EXECUTION = "code_execution"
    AUDIO_SECOND = "audio_second"
    """Heard."""
    OUTPUT_AUDIO_SECOND = "output_audio_second"
    CHARACTER = "character"
    """To be spoken."""
    IMAGE = "image"
    VIDEO_SECOND = "video_second"
    PAGE = "page"
    ANNOTATED_PAGE = "annotated_page"
    """A page that is annotated too; it costs this instead of a page's price."""
    SEARCH_UNIT = "search_unit"
    """A reranked query of up to 100 documents."""
    READ_UNIT = "read_unit"
    WRITE_UNIT = "write_unit"
    CREDIT = "credit"
    COMPUTE_SECOND = "compute_second"
    """On the provider's processor."""
    GUARDRAIL_UNIT = "guardrail_unit"
    GPU_SECOND = "gpu_second"
    """On the customer's own."""


Unit = TokenType | Measure

UNITS: dict[str, Unit] = {unit.value: unit for kind in (TokenType, Measure) for unit in kind}

# Tools that the provider runs, in each API's word, and what they are billed by.
_TOOLS: dict[str, tuple[Measure, ...]] = {
    "web_search": (Measure.WEB_SEARCH,),
    "web_search_preview": (Measure.WEB_SEARCH,),
    "browser_search": (Measure.WEB_SEARCH,),
    # Some models are billed by the answer that searched, some by the query: the price list says which.
    "google_search_queries": (Measure.GROUNDED_PROMPT, Measure.WEB_SEARCH),
    "google_search": (Measure.GROUNDED_PROMPT, Measure.WEB_SEARCH),
    "x_search": (Measure.SOCIAL_SEARCH,),
    "file_search": (Measure.STORAGE_SEARCH,),
    "collections_search": (Measure.STORAGE_SEARCH,),
    "google_maps": (Measure.MAPS_SEARCH,),
    "maps": (Measure.MAPS_SEARCH,),
    "code_interpreter": (Measure.CODE_SESSION, Measure.CODE_EXECUTION),
    "code_execution": (Measure.CODE_EXECUTION,),
}
# Billed once for an answer, not once for a call of the tool.
_ONCE = frozenset({Measure.GROUNDED_PROMPT, Measure.CODE_SESSION})
# Cost nothing beside their tokens.
FREE_TOOLS = frozenset({"web_fetch", "mcp", "mcp_server_tool", "image_generation", "mcp_list_tools", "url_context"})

_NS_PER_SECOND = Decimal(10**9)


def tool_measures(name: str) -> tuple[Measure, ...]:
    """What a tool of this name may be billed by, the preferred first; none for a tool that we do not know."""
    return _TOOLS.get(name, ())


def tool_quantity(measure: Measure, calls: int) -> int:
    return 1 if measure in _ONCE else calls


def states_measures(usage: Usage) -> bool:
    """Whether anything beside tokens was counted."""
    return bool(
        usage.audio_seconds
        or usage.pages
        or usage.search_units
        or usage.images
        or usage.characters
        or usage.output_audio_seconds
        or usage.video_seconds
        or usage.read_units
        or usage.write_units
        or usage.credits
        or usage.compute_seconds
        or usage.guardrail_units
    )


def measures(usage: Usage) -> Iterator[tuple[Measure, Decimal]]:
    """What was counted beside tokens, only what is above 0."""
    pages, annotated = max(usage.pages or 0, 0), max(usage.annotated_pages or 0, 0)
    annotated = min(annotated, pages)
    for measure, count in (
        (Measure.AUDIO_SECOND, usage.audio_seconds),
        (Measure.OUTPUT_AUDIO_SECOND, usage.output_audio_seconds),
        (Measure.CHARACTER, usage.characters),
        (Measure.IMAGE, usage.images),
        (Measure.VIDEO_SECOND, usage.video_seconds),
        (Measure.PAGE, pages - annotated),
        (Measure.ANNOTATED_PAGE, annotated),
        (Measure.SEARCH_UNIT, usage.search_units),
        (Measure.READ_UNIT, usage.read_units),
        (Measure.WRITE_UNIT, usage.write_units),
        (Measure.CREDIT, usage.credits),
        (Measure.COMPUTE_SECOND, usage.compute_seconds),
        (Measure.GUARDRAIL_UNIT, usage.guardrail_units),
    ):
        if count:
            # By its shortest text: 0.1 seconds are 0.1, not 0.1000000000000000055…
            quantity = Decimal(count if isinstance(count, int) else repr(count))
            if quantity.is_finite() and quantity > 0:
                yield measure, quantity


def seconds_of(call: Call) -> Decimal:
    """How long the call took, for who rents GPUs by the second."""
    return Decimal(max(call.ended_at_ns - call.started_at_ns, 0)) / _NS_PER_SECOND
