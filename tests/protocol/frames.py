"""Writes frames of Amazon's event stream."""

from __future__ import annotations

import struct
import zlib


def string_header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()


def frame(payload: bytes, headers: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


def event(name: str, payload: bytes) -> bytes:
    """As Bedrock sends it; a name with a colon is that message type's."""
    kind, colon, rest = name.partition(":")
    if not colon:
        kind, rest = "event", name
    which = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}[kind]
    headers = string_header(which, rest) + string_header(":content-type", "application/json")
    return frame(payload, headers + string_header(":message-type", kind))
