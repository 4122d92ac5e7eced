"""What is counted beside tokens."""

from __future__ import annotations

from decimal import Decimal

from agent.model import Usage
from agent.pricing.rates import ALL_UNITS, TOKEN_UNITS
from agent.pricing.units import (
    FREE_TOOLS,
    UNITS,
    Measure,
    measures,
    seconds_of,
    states_measures,
    tool_measures,
    tool_quantity,
)
from tests.pricing.calls import call


def test_names_are_unique() -> None:
    """A name in a price file means one unit."""
    assert len(UNITS) == len(ALL_UNITS) == len(TOKEN_UNITS) + len(Measure)


def test_quantities_are_exact() -> None:
    """A tenth of a second is 0.1, and annotated pages are not billed as plain ones too."""
    usage = Usage(audio_seconds=0.1, pages=3, annotated_pages=1, images=2)
    assert dict(measures(usage)) == {
        Measure.AUDIO_SECOND: Decimal("0.1"),
        Measure.PAGE: 2,
        Measure.ANNOTATED_PAGE: 1,
        Measure.IMAGE: 2,
    }


def test_absurd_quantities_are_nothing() -> None:
    """Negative, infinite or not a number: not counted, and no exception."""
    for absurd in (-1.0, float("inf"), float("nan")):
        assert dict(measures(Usage(audio_seconds=absurd))) == {}
    assert dict(measures(Usage(pages=2, annotated_pages=5))) == {Measure.ANNOTATED_PAGE: 2}


def test_silence_and_zero_are_not_statements() -> None:
    """Tokens alone state nothing here."""
    assert not states_measures(Usage(input_tokens=1, pages=0))
    assert states_measures(Usage(credits=0.5))


def test_tools() -> None:
    """A container is billed once for an answer, a search by the call, and what is free is not a search."""
    assert tool_quantity(Measure.CODE_SESSION, 3) == 1
    assert tool_quantity(Measure.WEB_SEARCH, 3) == 3
    assert tool_measures("house_tool") == ()
    assert all(tool_measures(name) == () for name in FREE_TOOLS)


def test_seconds_of_a_call() -> None:
    """From the first byte sent to the last received."""
    assert seconds_of(call(seconds=30)) == 30
