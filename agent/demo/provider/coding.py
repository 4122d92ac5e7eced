"""Content codings, as the fake applies them: whole bodies, and streams that are flushed event by event."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import brotli
import zstandard

CODINGS = ("br", "zstd", "gzip", "identity")


def choose(accepted: str, ordinal: int) -> str:
    """The codings that a client asks for take turns, so that every run sees all of them."""
    asked = {part.partition(";")[0].strip() for part in accepted.split(",")}
    possible = [coding for coding in CODINGS if coding in asked or coding == "identity"]
    return possible[ordinal % len(possible)]


def encode(coding: str, pieces: Sequence[bytes]) -> list[bytes]:
    """Each piece can be decoded as soon as it arrives, as servers flush streams."""
    if coding == "gzip":
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        flushed = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
        return [*flushed, packer.flush()]
    if coding == "br":
        squeezer = brotli.Compressor(quality=4)
        flushed = [squeezer.process(piece) + squeezer.flush() for piece in pieces]
        return [*flushed, squeezer.finish()]
    if coding == "zstd":
        writer = zstandard.ZstdCompressor(level=3).compressobj()
        flushed = [writer.compress(piece) + writer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for piece in pieces]
        return [*flushed, writer.flush()]
    return list(pieces)
