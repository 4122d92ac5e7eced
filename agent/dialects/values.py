"""
Reading values out of JSON that anyone may have written.

Every function gives "not stated" instead of raising: bodies come from pods and are hostile, and a model that answers oddly must not
cost its connection.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import cast

import orjson

Json = dict[str, object]

# Counters beyond this are not counts; the largest context is some ten million tokens.
_MAX_COUNT = 10**12
_MAX_WORD = 256
_EMPTY: Json = {}


def parse(body: bytes) -> object:
    """The JSON value, or None where it is not JSON."""
    try:
        return cast(object, orjson.loads(body))
    except orjson.JSONDecodeError:
        return None


def mapping(value: object) -> Json:
    return value if isinstance(value, dict) else _EMPTY


def get(value: object, *path: str) -> object:
    """``value[path[0]][path[1]]…``, None where a step is missing."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def count(value: object) -> int | None:
    """A counter: a whole number from 0; also written as a float. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= _MAX_COUNT:
        return None
    return int(value)


def word(value: object) -> str:
    """A name; "" where it is none.  Bounded, because names become labels."""
    return value[:_MAX_WORD] if isinstance(value, str) else ""


def usd(value: object) -> Decimal | None:
    """An amount of money as the provider wrote it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < 10**9 else None


def error_word(value: object) -> str:
    """The provider's own code or type of an error object; never its message, which quotes what was asked."""
    if isinstance(value, str):
        return "error"
    error = mapping(value)
    for name in ("code", "type", "status"):
        found = error.get(name)
        if isinstance(found, str) and found:
            return found[:64]
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return "error" if error else ""


def last_object(body: bytes, name: bytes) -> Json:
    """
    The last object that stands behind the key ``name`` in a text that is not whole.

    Inside a JSON string the quotes would be escaped, so the key is a real one.
    """
    at = body.rfind(b'"' + name + b'"')
    start = body.find(b"{", at) if at >= 0 else -1
    if start < 0 or body[at + len(name) + 2 : start].strip() != b":":
        return _EMPTY
    depth = 0
    for end in range(start, min(len(body), start + 16384)):
        depth += {0x7B: 1, 0x7D: -1}.get(body[end], 0)
        if depth == 0:
            return mapping(parse(body[start : end + 1]))
    return _EMPTY
