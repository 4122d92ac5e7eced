"""
Results of a batch, added up: one usage a model.

A batch is billed at its own tier, and a batch of a million answers must not be a million calls; so counters are summed.  What is lost by
that: prices that change with the length of a single answer's context.
"""

from __future__ import annotations

from dataclasses import fields

from agent.model import ExtraUsage, Usage

_COUNTERS = tuple(field.name for field in fields(Usage))
_MAX_MODELS = 64


class BatchSum:
    __slots__ = ("_sums", "answers")

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, int | float]] = {}
        self.answers = 0

    def add(self, model: str, usage: Usage) -> None:
        self.answers += 1
        if model not in self._sums and len(self._sums) >= _MAX_MODELS:
            model = next(iter(self._sums))
        sums = self._sums.setdefault(model, {})
        for name in _COUNTERS:
            value = getattr(usage, name)
            if value is not None:
                sums[name] = sums.get(name, 0) + value

    @property
    def model(self) -> str:
        """The first answer's; "" where there was none."""
        return next(iter(self._sums), "")

    @property
    def usage(self) -> Usage:
        """Of the first model."""
        return Usage(**next(iter(self._sums.values()), {}))  # type: ignore[arg-type]  # sums of each counter's own type

    @property
    def others(self) -> list[ExtraUsage]:
        """Of all other models."""
        return [
            ExtraUsage(kind="batch", model=model, usage=Usage(**sums))  # type: ignore[arg-type]
            for model, sums in list(self._sums.items())[1:]
        ]
