"""How the vocabulary's values are made; ``values.pyi`` says what mypy holds them to be."""

from __future__ import annotations

from dataclasses import dataclass


def value(*, frozen, slots, kw_only):
    """
    A dataclass that mypy holds to be frozen, and that is not when it runs.

    A frozen one sets each field by a call of ``object.__setattr__``: twice the time, for some 200 fields of every call to a model.
    """
    return dataclass(slots=slots, kw_only=kw_only, unsafe_hash=frozen)
