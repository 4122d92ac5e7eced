"""
Bounds on label values: what pods choose freely (models, names) must not decide how much memory Prometheus needs.

The first values get series of their own, later ones share ``other``; how many were turned away is counted.
"""

from __future__ import annotations

from collections.abc import Set

OTHER = "other"
_MAX_LENGTH = 128


class Limiter:
    """Admits up to ``limits[label]`` values of each label; labels without a limit are closed sets."""

    def __init__(self, limits: dict[str, int]) -> None:
        self._limits = limits
        self._admitted: dict[str, set[str]] = {label: set() for label in limits}
        self.turned_away = dict.fromkeys(limits, 0)
        """Label → how many times ``other`` was given.  All labels from the start: scrapes read it while it counts."""

    def admit(self, label: str, value: str) -> str:
        admitted = self._admitted.get(label)
        value = clean(value)
        if admitted is None or value in admitted or not value:
            return value
        if len(admitted) >= self._limits[label]:
            self.turned_away[label] += 1
            return OTHER
        admitted.add(value)
        return value

    def keep(self, label: str, in_use: Set[str]) -> None:
        """Only these values have series now: the others' places are free."""
        admitted = self._admitted.get(label)
        if admitted is not None:
            admitted &= in_use


def clean(value: str) -> str:
    """Bounded and printable: a name with control characters is somebody's joke."""
    value = value[:_MAX_LENGTH]
    return value if value.isprintable() else "".join(sign if sign.isprintable() else "?" for sign in value)
