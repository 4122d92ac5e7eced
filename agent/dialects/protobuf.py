"""
The fields of a protocol buffer message by their numbers, without its definition (https://protobuf.dev/programming-guides/encoding/).

A message of a pod's making may be anything: what makes no sense ends the reading, and what was read before it stands.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.dialects.values import word

# Nobody's answer has more; each costs us an entry.
_MAX_FIELDS = 4096
_MAX_VARINT_BYTES = 10
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


class Message:
    """Field number → its values in their order: numbers, or the bytes of texts and messages."""

    __slots__ = ("_fields",)

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        for number, value in _fields(data):
            self._fields.setdefault(number, []).append(value)

    def number(self, field: int) -> int | None:
        """The last one counts; None where it is absent, which means 0."""
        found = [value for value in self._fields.get(field, ()) if isinstance(value, int)]
        return found[-1] if found else None

    def numbers(self, field: int) -> list[int]:
        """Repeated: one by one, or packed."""
        found: list[int] = []
        for value in self._fields.get(field, ()):
            if len(found) >= _MAX_FIELDS:
                break
            found += [value] if isinstance(value, int) else _packed(value)
        return found[:_MAX_FIELDS]

    def text(self, field: int) -> str:
        found = [value for value in self._fields.get(field, ()) if isinstance(value, bytes)]
        return word(found[-1].decode("utf-8", "replace")) if found else ""

    def texts(self, field: int) -> list[str]:
        return [
            word(value.decode("utf-8", "replace")) for value in self._fields.get(field, ()) if isinstance(value, bytes)
        ]

    def message(self, field: int) -> Message:
        """An empty one where it is absent."""
        found = [value for value in self._fields.get(field, ()) if isinstance(value, bytes)]
        return Message(found[-1] if found else b"")

    def messages(self, field: int) -> list[Message]:
        return [Message(value) for value in self._fields.get(field, ()) if isinstance(value, bytes)]

    def __bool__(self) -> bool:
        return bool(self._fields)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    for _ in range(_MAX_FIELDS):
        if at >= len(data):
            return
        key, at = _varint(data, at)
        kind, number = key & 7, key >> 3
        if kind == _VARINT:
            value, at = _varint(data, at)
            if at > len(data):
                return
            yield number, value
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        elif kind == _LENGTH:
            size, at = _varint(data, at)
            if at + size > len(data):
                return
            yield number, data[at : at + size]
            at += size
        else:
            return  # groups, which nobody writes any more, or no message


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Its value and where it ends; behind the data where it has no end."""
    value = 0
    for shift in range(_MAX_VARINT_BYTES):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at
    return 0, len(data) + 1


def _packed(data: bytes) -> list[int]:
    found: list[int] = []
    at = 0
    while at < len(data) and len(found) < _MAX_FIELDS:
        value, at = _varint(data, at)
        if at > len(data):
            break
        found.append(value)
    return found
