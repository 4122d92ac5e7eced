"""Writes WebSocket frames: by websocket-client's own encoder, so that a misreading of the RFC is not written twice."""

from __future__ import annotations

import zlib

from websocket import ABNF

TEXT, BINARY, PING, PONG, CONTINUATION, CLOSE = 1, 2, 9, 10, 0, 8
MASK = b"\x37\xfa\x21\x3d"  # RFC 6455, 5.7


def frame(
    payload: bytes, opcode: int = TEXT, *, final: bool = True, masked: bool = False, compressed: bool = False
) -> bytes:
    one = ABNF(int(final), int(compressed), 0, 0, opcode, int(masked), payload)
    one.get_mask_key = lambda _: MASK
    return one.format()


def fragments(
    payload: bytes, *sizes: int, masked: bool = False, compressed: bool = False, between: bytes = b""
) -> bytes:
    """One message in frames of these sizes and one with the rest; ``between`` stands between any two."""
    out, at = [], 0
    for number, size in enumerate((*sizes, len(payload))):
        last = number == len(sizes)
        piece = payload[at : at + size]
        at += size
        opcode = CONTINUATION if number else TEXT
        out.append(frame(piece, opcode, final=last, masked=masked, compressed=compressed and not number))
    return between.join(out)


class Deflater:
    """RFC 7692, 7.2.1: deflate, flushed, without its last four bytes."""

    def __init__(self, *, keeps_context: bool = True, window_bits: int = 15) -> None:
        self._keeps_context = keeps_context
        self._window_bits = window_bits
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, -window_bits)

    def __call__(self, payload: bytes) -> bytes:
        out = self._deflate.compress(payload) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        if not self._keeps_context:
            self._deflate = zlib.compressobj(6, zlib.DEFLATED, -self._window_bits)
        return out[:-4]
