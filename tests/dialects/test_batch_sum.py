"""Results added up."""

from __future__ import annotations

from agent.dialects.batch_sum import BatchSum
from agent.model import Usage


def test_one_usage_a_model() -> None:
    """The first model's is the call's, the others' stand beside it; not stated stays not stated."""
    found = BatchSum()
    found.add("a", Usage(input_tokens=1, output_tokens=2))
    found.add("b", Usage(input_tokens=10))
    found.add("a", Usage(input_tokens=3))
    assert (found.model, found.answers, found.usage) == ("a", 3, Usage(input_tokens=4, output_tokens=2))
    assert [(extra.kind, extra.model, extra.usage) for extra in found.others] == [
        ("batch", "b", Usage(input_tokens=10))
    ]


def test_models_are_bounded_and_nothing_is_lost() -> None:
    """A hostile file names a million; their counts fall to the first."""
    found = BatchSum()
    for number in range(1000):
        found.add(f"m{number}", Usage(input_tokens=1))
    assert len(found.others) == 63
    assert (found.usage.input_tokens or 0) + sum(extra.usage.input_tokens or 0 for extra in found.others) == 1000


def test_an_empty_batch_states_nothing() -> None:
    """Not 0."""
    assert (BatchSum().model, BatchSum().usage, BatchSum().others) == ("", Usage(), [])
