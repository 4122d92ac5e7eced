"""
What a connection is to us, and what may follow.

    state         its bytes are         leaves by
    UNJUDGED      read                  a verdict, an error, its end
    WATCHED       read                  an error, its end
    IGNORED       dropped (and counted) its end
    QUARANTINED   dropped               its end
    CLOSED        none come
"""

from __future__ import annotations

import enum


class State(enum.Enum):
    UNJUDGED = enum.auto()
    WATCHED = enum.auto()
    IGNORED = enum.auto()
    QUARANTINED = enum.auto()
    CLOSED = enum.auto()


class Happening(enum.Enum):
    ACCEPTED = enum.auto()
    """Judged ours."""
    REFUSED = enum.auto()
    """Judged not ours."""
    FAILED = enum.auto()
    """A protocol error, a bug of ours, or too much memory."""
    ENDED = enum.auto()


TRANSITIONS: dict[tuple[State, Happening], State] = {
    (State.UNJUDGED, Happening.ACCEPTED): State.WATCHED,
    (State.UNJUDGED, Happening.REFUSED): State.IGNORED,
    (State.UNJUDGED, Happening.FAILED): State.QUARANTINED,
    (State.UNJUDGED, Happening.ENDED): State.CLOSED,
    (State.WATCHED, Happening.ACCEPTED): State.WATCHED,
    (State.WATCHED, Happening.REFUSED): State.IGNORED,
    (State.WATCHED, Happening.FAILED): State.QUARANTINED,
    (State.WATCHED, Happening.ENDED): State.CLOSED,
    (State.IGNORED, Happening.ENDED): State.CLOSED,
    (State.QUARANTINED, Happening.ENDED): State.CLOSED,
}

# A tuple: asked of every chunk, and an enum's hash is Python.
READING = (State.UNJUDGED, State.WATCHED)


def after(state: State, happening: Happening) -> State:
    """The next state.  What the table does not name changes nothing: late verdicts and second ends are normal."""
    return TRANSITIONS.get((state, happening), state)
