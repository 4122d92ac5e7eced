"""Writes protocol buffers by field number: https://protobuf.dev/programming-guides/encoding/."""

from __future__ import annotations


def message(*fields: tuple[int, int | str | bytes]) -> bytes:
    """Numbers as varints; texts, and messages made before, with their length."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += _varint(number << 3) + _varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += _varint(number << 3 | 2) + _varint(len(data)) + data
    return bytes(out)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))
