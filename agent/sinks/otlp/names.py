"""
Attributes of a call under OpenTelemetry's names: today's, those of before, or both.

Today's are defined here and not imported: the ``gen_ai`` conventions moved to a repository of their own without a released
package, and the constants in ``opentelemetry-semantic-conventions`` are marked as deprecated.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

Value = str | int | float | bool | tuple[str, ...]
Attributes = dict[str, Value]


class Semconv(enum.StrEnum):
    """Which generation of ``gen_ai`` names is sent."""

    CURRENT = "current"
    LEGACY = "legacy"
    BOTH = "both"

    @property
    def current(self) -> bool:
        return self is not Semconv.LEGACY

    @property
    def legacy(self) -> bool:
        return self is not Semconv.CURRENT


# Today's name → the names that dashboards of before look for.  Names that did not change are not here and are always sent.
_BEFORE: Mapping[str, tuple[str, ...]] = {
    "gen_ai.provider.name": ("gen_ai.system",),
    "gen_ai.usage.cache_write.input_tokens": ("gen_ai.usage.cache_creation.input_tokens",),
    "openai.response.service_tier": ("gen_ai.openai.response.service_tier",),
}
# Older still: from before input_tokens and output_tokens, which stay.
_OLDEST: Mapping[str, str] = {
    "gen_ai.usage.input_tokens": "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.output_tokens": "gen_ai.usage.completion_tokens",
}
_PROVIDERS_BEFORE = {"x_ai": "xai"}


def spelled(attributes: Mapping[str, Value], semconv: Semconv) -> Attributes:
    """``attributes``, given under today's names, as ``semconv`` wants them."""
    if semconv is Semconv.CURRENT:
        return dict(attributes)
    spelt: Attributes = {}
    for name, value in attributes.items():
        before = _BEFORE.get(name)
        if before is None or semconv.current:
            spelt[name] = value
        if before is not None:
            for one in before:
                spelt[one] = _PROVIDERS_BEFORE.get(value, value) if isinstance(value, str) else value
        if name in _OLDEST:
            spelt[_OLDEST[name]] = value
    return spelt
