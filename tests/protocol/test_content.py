"""Content codings: every coding, every cut, headers that lie, bodies that end early, bombs."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ProtocolError
from agent.protocol.content import decoder_for
from tests.protocol.cuts import bytewise, random_cuts, whole

TEXT = b'{"usage": {"prompt_tokens": 24}, "text": "' + b"The quick brown fox. " * 40 + b'"}'


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
    "identity": ("identity", bytes),
    "two gzip members": ("gzip", lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:])),
    "br over gzip": ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    "gzip that the header forgot": ("", gzip.compress),
    "plain that the header calls gzip": ("gzip", bytes),
    "plain that the header calls br": ("br", bytes),
}


def decode(coding: str, parts: list[bytes]) -> bytes:
    decoder = decoder_for(coding, b"".join(parts)[:8])
    return b"".join(decoder.decode(part) for part in parts)


@pytest.mark.parametrize(("coding", "encode"), CODINGS.values(), ids=CODINGS.keys())
def test_every_coding_however_it_is_cut(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """Whole, byte by byte, random cuts."""
    coded = encode(TEXT)
    for parts in (whole(coded), bytewise(coded), *random_cuts(coded, rounds=10)):
        assert decode(coding, parts) == TEXT


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_flushed_stream_is_readable_as_it_comes(name: str) -> None:
    """A server that streams flushes after each event: the event has to come out then, not at the end."""
    if name == "br":
        brotli_encoder = brotli.Compressor()
        first = brotli_encoder.process(b"data: a\n\n") + brotli_encoder.flush()
    elif name == "zstd":
        zstd_encoder = zstandard.ZstdCompressor().compressobj()
        first = zstd_encoder.compress(b"data: a\n\n") + zstd_encoder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    else:
        encoder = zlib.compressobj(wbits=31 if name == "gzip" else 15)
        first = encoder.compress(b"data: a\n\n") + encoder.flush(zlib.Z_SYNC_FLUSH)
    assert decode(name, [first]) == b"data: a\n\n"


def test_a_cut_body_gives_what_came() -> None:
    """The start of a gzip body is the start of its text."""
    coded = gzip.compress(TEXT + bytes(range(256)) * 40)
    text = decode("gzip", [coded[: len(coded) // 2]])
    assert text
    assert (TEXT + bytes(range(256)) * 40).startswith(text)


def test_a_bomb_is_refused() -> None:
    """A gigabyte of zeros in a megabyte does not get its gigabyte."""
    bomb = gzip.compress(bytes(64 * 1024 * 1024), compresslevel=9)
    with pytest.raises(ProtocolError, match="became more than"):
        decode("gzip", [bomb[at : at + 4096] for at in range(0, len(bomb), 4096)])


def test_an_unknown_coding_is_left_as_it_is() -> None:
    """What we can't undo is not guessed."""
    assert decode("compress", [b"\x1f\x9dxyz"]) == b"\x1f\x9dxyz"


@given(st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br", ""]), st.lists(st.binary(max_size=60)))
def test_garbage_raises_nothing_else(coding: str, parts: list[bytes]) -> None:
    """Bytes, or ProtocolError."""
    try:
        decode(coding, parts)
    except ProtocolError:
        pass
