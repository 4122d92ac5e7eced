"""The comparison that the demo's exit code hangs on must not be able to agree by accident."""

from decimal import Decimal

import pytest

from agent.demo.agreement import (
    COST,
    OUTCOME,
    TOKENS,
    WITHOUT_PRICE,
    WITHOUT_USAGE,
    Difference,
    compare,
    served_figures,
)
from agent.demo.books import Served, Tokens

FIGURES = {OUTCOME + "ok": Decimal(3), TOKENS + "input": Decimal(70), COST: Decimal("0.00012")}


def served(status: int = 200, tokens: Tokens | None = None, cost: str | None = None) -> Served:
    return Served(
        client="a",
        provider="openai",
        api="openai/chat",
        model="m",
        status=status,
        streaming=False,
        tokens=tokens,
        cost_usd=None if cost is None else Decimal(cost),
    )


def test_books_are_summed_by_what_they_say() -> None:
    """Served, refused, silent and unlisted calls are four different things."""
    rows = [
        served(tokens=Tokens(input=5, output=2), cost="0.5"),
        served(tokens=Tokens(input=5, reasoning=1), cost="0.25"),
        served(tokens=Tokens(input=1)),
        served(),
        served(status=429),
        served(status=500),
        served(status=404),
    ]
    assert served_figures(rows) == {
        "a": {
            OUTCOME + "ok": 4,
            OUTCOME + "rate_limited": 1,
            OUTCOME + "server_error": 1,
            OUTCOME + "client_error": 1,
            TOKENS + "input": 11,
            TOKENS + "output": 2,
            TOKENS + "reasoning": 1,
            WITHOUT_USAGE: 1,
            WITHOUT_PRICE: 1,
            COST: Decimal("0.75"),
        }
    }


def test_equal_books_agree() -> None:
    """1.0 and nothing to say."""
    agreement = compare(["a"], {"a": FIGURES}, {"a": dict(FIGURES)})
    assert agreement.share == 1.0
    assert agreement.differences == ()


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("change", [Decimal(1), Decimal("-0.000000002")])
def test_any_figure_that_is_off_is_named(name: str, change: Decimal) -> None:
    """Too much and too little, by a token or by two billionths of a dollar."""
    agreement = compare(["a"], {"a": FIGURES}, {"a": FIGURES | {name: FIGURES[name] + change}})
    assert [difference.figure for difference in agreement.differences] == [name]
    assert agreement.share < 1.0


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_that_one_side_lacks_is_a_difference(name: str) -> None:
    """Absent on either side is told as absent, never taken for 0."""
    less = {key: value for key, value in FIGURES.items() if key != name}
    (missing,) = compare(["a"], {"a": FIGURES}, {"a": less}).differences
    assert (missing.figure, missing.captured) == (name, "absent")
    (extra,) = compare(["a"], {"a": less}, {"a": FIGURES}).differences
    assert (extra.figure, extra.served) == (name, "absent")


def test_rounding_of_floats_is_not_a_difference() -> None:
    """The agent's sums are binary floating point."""
    assert compare(["a"], {"a": FIGURES}, {"a": FIGURES | {COST: FIGURES[COST] + Decimal("1e-15")}}).share == 1.0


def test_no_cost_anywhere_agrees_with_no_cost() -> None:
    """A pod whose calls were all refused has a sum of nothing in the books and no series at the agent."""
    calls = {OUTCOME + "rate_limited": Decimal(2)}
    assert compare(["a"], {"a": calls | {COST: Decimal(0)}}, {"a": calls}).share == 1.0


def test_silence_on_both_sides_is_not_agreement() -> None:
    """An agent that saw nothing of workloads that did nothing proves nothing."""
    assert compare(["a"], {}, {}).share == 0.0
    assert compare([], {}, {}).share == 0.0


def test_a_wrong_name_is_a_difference() -> None:
    """Right figures under the wrong team are wrong."""
    wrong = Difference(pod="a", figure="label team", served="web", captured="")
    agreement = compare(["a", "b"], {"a": FIGURES, "b": FIGURES}, {"a": FIGURES, "b": FIGURES}, [wrong])
    assert agreement.differences == (wrong,)
    assert agreement.share < 1.0
