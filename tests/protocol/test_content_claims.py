"""Bodies whose header claims br or deflate: what is compressed is believed however it begins, what is plain is seen to be."""

import os
import zlib
from collections.abc import Callable

import brotli
import pytest

from agent.protocol.content import decoder_for


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def flushed(data: bytes) -> bytes:
    """As a server that streams: the first block is closed before it is known to be the last."""
    squeezer = brotli.Compressor(quality=4)
    return bytes(squeezer.process(data) + squeezer.flush() + squeezer.finish())


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "br": ("br", lambda data: bytes(brotli.compress(data, quality=4))),
    "br flushed": ("br", flushed),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_every_length_is_decoded(name: str) -> None:
    """The first bytes of a brotli body hold its length, so some lengths begin like JSON or with what looks like white space."""
    coding, encode = ENCODERS[name]
    text = b'{"text":"' + os.urandom(4096).hex().encode() + b'"}'
    starts = set()
    for size in [*range(1, 4096), *range(65_537, 65_540), 100_000]:
        body = (text * (size // len(text) + 1))[:size]
        encoded = encode(body)
        starts.add(encoded[:1])
        assert decoder_for(coding, encoded[:1000]).decode(encoded) == body, (size, encoded[:4].hex())
    if name == "br":
        assert b"[" in starts


@pytest.mark.parametrize("coding", ["br", "deflate"])
@pytest.mark.parametrize(
    "plain",
    [b'{"id":"chatcmpl-1"}', b'[{"candidates":[]}]', b'\r\n  {\n  "id": 1}', b"data: {}\n\n", b"event: x\n"],
)
def test_plain_text_under_a_wrong_header_is_left_as_it_is(coding: str, plain: bytes) -> None:
    """Recorders and proxies decode a body and forget the header."""
    assert decoder_for(coding, plain).decode(plain) == plain
