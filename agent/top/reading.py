"""JSON of agents into values; what is missing or of another type is an answer that can't be read."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from agent.top.text import plain

Json = Mapping[str, object]


def items(body: bytes, name: str) -> list[Json]:
    """The objects of the list ``name``.  Raises ValueError."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("is not JSON") from None
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"has no list {name}")  # noqa: TRY004 - of data, not of a program
    return objects(found)


def objects(value: object) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(item: Json, name: str) -> str:
    value = item.get(name)
    return plain(value) if isinstance(value, str) else ""


def number(item: Json, name: str) -> float | None:
    value = item.get(name)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) else None
