"""Content codings."""

import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest
import zstandard

from agent.demo.provider.coding import choose, encode

PIECES = [b"data: one\n\n", b"data: two \xf0\x9f\x99\x82\n\n", b"data: " + b"x" * 5_000 + b"\n\n"]
DECODERS: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
    "br": lambda: brotli.Decompressor().process,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
    "gzip": lambda: zlib.decompressobj(31).decompress,
    "identity": lambda: bytes,
}


@pytest.mark.parametrize("coding", DECODERS)
def test_every_piece_is_readable_when_it_arrives(coding: str) -> None:
    """A stream that only opens at its end would be no stream."""
    decode: Any = DECODERS[coding]()
    encoded = encode(coding, PIECES)
    assert [decode(piece) for piece in encoded[: len(PIECES)]] == PIECES
    assert b"".join(decode(piece) for piece in encoded[len(PIECES) :]) == b""


def test_what_the_client_asks_for_takes_turns() -> None:
    """And nothing else is sent."""
    assert [choose("gzip, deflate, br;q=0.9", ordinal) for ordinal in range(4)] == ["br", "gzip", "identity", "br"]
    assert {choose("", ordinal) for ordinal in range(4)} == {"identity"}
