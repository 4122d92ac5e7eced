"""Content codings: every coding, every cut, headers that lie, bodies that end early, bombs."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ProtocolError
from agent.protocol.content import decoder_for
from tests.protocol.cuts import bytewise, every_cut_in_two, random_cuts, whole

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


@pytest.mark.parametrize("name", ["gzip", "deflate", "raw deflate", "br", "zstd", "br over gzip"])
def test_a_bomb_is_refused_before_it_takes_its_memory(name: str) -> None:
    """One piece of some hundred bytes can claim any size: what is decoded of it stays far below that."""
    coding, encode = CODINGS[name]
    size = 128 * 1024 * 1024
    bomb = encode(bytes(size))
    for parts in ([bomb], [bomb[at : at + 4096] for at in range(0, len(bomb), 4096)]):
        tracemalloc.start()
        with pytest.raises(ProtocolError, match="became more than"):
            decode(coding, parts)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < size // 2


def test_what_compresses_well_is_no_bomb() -> None:
    """A body of one repeated line, well below the size from which the ratio counts."""
    text = b'{"index": 0, "embedding": [0.0, 0.0, 0.0]}\n' * 20_000
    for coding, encode in CODINGS.values():
        assert decode(coding, [encode(text)]) == text


@pytest.mark.parametrize("behind", [b"\0" * 8, b"\r\n", b"x"], ids=["zeros", "line end", "letter"])
@pytest.mark.parametrize("name", ["gzip", "deflate", "raw deflate", "br"])
def test_padding_behind_a_body_is_not_part_of_it(name: str, behind: bytes) -> None:
    """RFC 1952, 2.2, and what gzip does: the text is whole, so it is not called broken; nothing of the padding is kept."""
    coding, encode = CODINGS[name]
    assert decode(coding, [encode(TEXT), *[behind] * 3]) == TEXT
    if name != "br":
        assert decode(coding, [encode(TEXT) + behind]) == TEXT


def test_zstd_frames_may_follow_each_other_however_they_are_cut() -> None:
    """RFC 8878, 3: also when a read ends exactly where a frame does."""
    frames = [zstandard.compress(TEXT[:99]), zstandard.compress(TEXT[99:])]
    coded = b"".join(frames)
    for parts in (frames, whole(coded), *every_cut_in_two(coded)):
        assert decode("zstd", [part for part in parts if part]) == TEXT


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd", "br over gzip"])
def test_a_body_cut_anywhere_gives_a_beginning_of_its_text(name: str) -> None:
    """Never an exception, never a byte that was not there; from the four bytes on that tell the coding."""
    coding, encode = CODINGS[name]
    coded = encode(TEXT)
    for cut in range(4, len(coded)):
        assert TEXT.startswith(decode(coding, [coded[:cut]]))


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
