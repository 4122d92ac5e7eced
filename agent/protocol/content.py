"""
Content codings (RFC 9110, 8.4), undone as the bytes come: gzip, deflate, br, zstd, also several on top of each other.

A cut stream is readable as far as it goes.  What comes out is bounded against decompression bombs.
"""

from __future__ import annotations

import codecs
import zlib
from typing import Protocol

import brotli
import zstandard

from agent.model import ProtocolError

# Text compresses 3 to 10 times; a run of zeros 1,000 times with gzip, a million times with br.  Small bodies may do what they like.
_MAX_RATIO = 200
_RATIO_APPLIES_FROM_BYTES = 4 * 1024 * 1024
_MAX_CODINGS = 4
_MAGIC_GZIP = b"\x1f\x8b"
# zstd can't be told to stop, so it gets little at a time: a block of 128 KiB takes 4 bytes at least, so this is 16 MiB at most.
_ZSTD_BYTES_AT_ONCE = 512
# What is decoded to see whether a header lies.
_PROBE_BYTES = 64


class Decoder(Protocol):
    def decode(self, data: bytes) -> bytes: ...


class _Coding(Protocol):
    def decode(self, data: bytes, room: int) -> bytes:
        """Stops at ``room`` bytes or a little more; less than that means that all of ``data`` was taken."""
        ...


class _Zlib:
    """gzip, with members one after the other, and deflate in both of its readings (zlib-wrapped and raw)."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._inflate = zlib.decompressobj(window_bits)
        self._undecided = window_bits == zlib.MAX_WBITS
        """Of a "deflate" body: whether a zlib header comes first is not known before two bytes are there."""
        self._head = b""

    def decode(self, data: bytes, room: int) -> bytes:
        if self._undecided:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return b""
            self._undecided = False
            # RFC 1950, 2.2: the method is 8 and the first two bytes are a multiple of 31.  Else it is raw, as from old servers.
            if data[0] & 15 != 8 or int.from_bytes(data[:2], "big") % 31:
                self._window_bits = -zlib.MAX_WBITS
                self._inflate = zlib.decompressobj(self._window_bits)
        out = []
        while data and room > 0:
            if self._inflate.eof:
                # RFC 1952, 2.2: gzip's members may follow each other.  Anything else behind an end is padding.
                if self._window_bits < zlib.MAX_WBITS + 1 or data[0] != _MAGIC_GZIP[0]:
                    break
                self._inflate = zlib.decompressobj(self._window_bits)
            out.append(self._inflate.decompress(data, room))
            room -= len(out[-1])
            data = self._inflate.unused_data
        return b"".join(out)


class _Brotli:
    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    def decode(self, data: bytes, room: int) -> bytes:
        if self._decompressor.is_finished():
            return b""
        return bytes(self._decompressor.process(data, output_buffer_limit=room))


class _Zstd:
    """Frames one after the other (RFC 8878, 3)."""

    def __init__(self) -> None:
        # RFC 8878, 3.1.1.1.2: decoders should support windows up to 8 MiB, and need no more.
        self._context = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024)
        self._decompress = self._context.decompressobj()

    def decode(self, data: bytes, room: int) -> bytes:
        out = []
        at = 0
        while at < len(data) and room > 0:
            if self._decompress.eof:
                self._decompress = self._context.decompressobj()
            part = data[at : at + _ZSTD_BYTES_AT_ONCE]
            out.append(self._decompress.decompress(part))
            room -= len(out[-1])
            at += len(part) - len(self._decompress.unused_data)
        return b"".join(out)


class _Bounded:
    """Several codings, the last applied undone first."""

    def __init__(self, codings: list[_Coding]) -> None:
        self._codings = codings
        self._in_bytes = self._out_bytes = 0

    def decode(self, data: bytes) -> bytes:
        self._in_bytes += len(data)
        allowed = max(_RATIO_APPLIES_FROM_BYTES, _MAX_RATIO * self._in_bytes)
        try:
            for coding in self._codings:
                data = coding.decode(data, allowed - self._out_bytes + 1)
                if len(data) > allowed - self._out_bytes:
                    raise ProtocolError(f"{self._in_bytes} coded bytes became more than {allowed}")
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise ProtocolError(
                f"content coding broken after {self._in_bytes} bytes ({type(error).__name__})"
            ) from None
        self._out_bytes += len(data)
        return data


class Identity:
    """Nothing to undo."""

    def decode(self, data: bytes) -> bytes:
        return data


def _one(coding: str) -> _Coding | None:
    match coding:
        case "gzip" | "x-gzip":
            return _Zlib(zlib.MAX_WBITS | 16)
        case "deflate":
            return _Zlib(zlib.MAX_WBITS)
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
        case _:
            return None


def _is_plain(coding: str, first_bytes: bytes) -> bool:
    """
    Whether JSON text came although a header says br or deflate.

    Theory: ``[`` or ``{`` is no start of a compressed body.  Practice: brotli's header of every body of 64 KiB to 1 MiB is ``[``, and one
    that begins with 0x0b may go on with it.  So the text must look like JSON, and the decoder refuse it or make no text of it.
    """
    # Not strip(): it takes 0x0b for white space, which JSON does not.
    if first_bytes.lstrip(b" \t\r\n")[:1] not in (b"{", b"["):
        return False
    decoder = _one(coding)
    assert decoder is not None
    try:
        begun = decoder.decode(first_bytes, _PROBE_BYTES)[:_PROBE_BYTES]
        text = codecs.getincrementaldecoder("utf-8")().decode(begun)
    except (zlib.error, brotli.error, UnicodeDecodeError):
        return True
    return any(character < " " and character not in "\t\r\n" for character in text)


_MAGIC = {_MAGIC_GZIP: "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


def decoder_for(content_encoding: str, first_bytes: bytes) -> Decoder:
    """
    The decoder of a body.  Headers lie in both directions (recorders and proxies decode and forget), so gzip and zstd go by their
    first bytes; br has none and is believed.
    """
    magic = _MAGIC.get(first_bytes[:2]) or _MAGIC.get(first_bytes[:4]) or ""
    if not content_encoding and not magic:
        return Identity()
    names = [name.strip().lower() for name in content_encoding.split(",") if name.strip()]
    names = [name for name in names if name != "identity"][:_MAX_CODINGS]
    if not names or (names[-1] in ("gzip", "x-gzip", "zstd") and not magic):
        names = [magic] if magic else []
    elif magic and names[-1] not in (magic, f"x-{magic}"):
        names = [magic]
    elif first_bytes.startswith((b"data:", b"event:")) or (
        names[-1] in ("br", "deflate") and _is_plain(names[-1], first_bytes)
    ):
        names = []
    decoders = [_one(name) for name in reversed(names)]
    known = [decoder for decoder in decoders if decoder is not None]
    return _Bounded(known) if known and len(known) == len(decoders) else Identity()
