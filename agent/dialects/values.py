"""
Reading values out of JSON that anyone may have written.

Every function gives "not stated" instead of raising: bodies come from pods and are hostile, and a model that answers oddly must not
cost its connection.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import cast

import orjson

Json = dict[str, object]

# Counters beyond this are not counts; the largest context is some ten million tokens.
_MAX_COUNT = 10**12
_MAX_SECONDS = 10**9
_MAX_WORD = 256
# No amount of money needs more digits; a longer text is there to make us work.
_MAX_AMOUNT = 64
_ERROR_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
# The longest usage object seen has 900 bytes.
_MAX_PART = 16384
_EMPTY: Json = {}


def parse(body: bytes) -> object:
    """The JSON value, or None where it is not JSON."""
    try:
        return cast(object, orjson.loads(body))
    except orjson.JSONDecodeError:
        return _parse_leniently(body)


def _parse_leniently(body: bytes) -> object:
    """What Python's servers write and the standard forbids: NaN, halves of surrogate pairs, a byte order mark, broken UTF-8."""
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith((b"{", b"[")):
        return None
    try:
        return cast(object, json.loads(text.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
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
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= _MAX_COUNT:
        return None
    return int(value)


def seconds(value: object) -> float | None:
    """A duration that is counted."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _MAX_SECONDS else None


def word(value: object) -> str:
    """A name; "" where it is none.  Bounded and valid Unicode, because names become labels."""
    if not isinstance(value, str):
        return ""
    value = value[:_MAX_WORD]
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def usd(value: object) -> Decimal | None:
    """An amount of money as the provider wrote it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int) and not 0 <= value < 10**9:
        return None
    text = str(value)
    if len(text) > _MAX_AMOUNT:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < 10**9 and amount.adjusted() > -_MAX_AMOUNT else None


def error_word(value: object) -> str:
    """The provider's own code or type of an error object; never its message, which quotes what was asked."""
    if isinstance(value, str):
        return "error" if value else ""
    error = mapping(value)
    for name in ("code", "type", "status"):
        found = error.get(name)
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(count(found) or "")
        # Some servers put a sentence there.
        if isinstance(found, str) and _ERROR_WORD.fullmatch(found):
            return found
    return "error" if error else ""


def last_object(body: bytes, name: bytes) -> Json:
    """
    The last object that stands behind the key ``name`` in a text that is not whole.

    Inside a JSON string the quotes would be escaped, so the key is a real one.
    """
    at = body.rfind(b'"' + name + b'"')
    start = body.find(b"{", at, at + _MAX_PART) if at >= 0 else -1
    if start < 0 or body[at + len(name) + 2 : start].strip() != b":":
        return _EMPTY
    depth = 0
    for end in range(start, min(len(body), start + _MAX_PART)):
        depth += {0x7B: 1, 0x7D: -1}.get(body[end], 0)
        if depth == 0:
            return mapping(parse(body[start : end + 1]))
    return _EMPTY
