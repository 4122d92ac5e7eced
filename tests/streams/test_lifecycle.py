"""The lifecycle table, over its full product."""

from __future__ import annotations

import itertools

import pytest

from agent.streams.lifecycle import READING, TRANSITIONS, Happening, State, after


@pytest.mark.parametrize(("state", "happening"), list(itertools.product(State, Happening)))
def test_every_state_and_happening(state: State, happening: Happening) -> None:
    """Nothing leaves CLOSED; an end closes everything; nothing that was given up is read again."""
    new = after(state, happening)
    if state is State.CLOSED or happening is Happening.ENDED:
        assert new is State.CLOSED
    elif state not in READING:
        assert new is state
    else:
        assert new is TRANSITIONS[state, happening]
        assert (new in READING) == (happening is Happening.ACCEPTED)
