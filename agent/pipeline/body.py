"""A message body on its way to a dialect: content coding undone, kind found out by its first bytes, size bounded."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from agent.model import ProtocolError, StreamItem
from agent.protocol.content import Decoder, decoder_for
from agent.protocol.eventstream import PRELUDE_BYTES, EventStreamParser, is_frame
from agent.protocol.json_array import JsonArrayParser
from agent.protocol.lines import LinesParser
from agent.protocol.sse import SseParser

# Prompts with images: 8 MiB of base64 are a dozen photographs.
MAX_REQUEST_BYTES = 8 * 1024 * 1024
# Embeddings of a large batch, images as base64.
MAX_DOCUMENT_BYTES = 32 * 1024 * 1024

# What decides the coding and the kind: the longest magic is 4 bytes, the longest field name of an event stream 6 ("event:"), the
# prelude of one of Amazon's frames 12.
_CODING_BYTES = 4
_DECODED_AT_ONCE_BYTES = 16 * 1024
_KIND_BYTES = 12
_NOTHING = b"\xef\xbb\xbf \r\n\t"
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")


class Kind(enum.Enum):
    UNKNOWN = enum.auto()
    DOCUMENT = enum.auto()
    EVENTS = enum.auto()
    """Server-sent."""
    ARRAY = enum.auto()
    LINES = enum.auto()
    """JSON lines."""
    FRAMES = enum.auto()
    """Amazon's event stream."""
    MEDIA = enum.auto()
    """Sound or pictures: there is nothing to read, so nothing is kept."""


STREAMS = frozenset({Kind.EVENTS, Kind.ARRAY, Kind.LINES, Kind.FRAMES})
_MEDIA = ("audio/", "image/", "video/")


class Collector:
    """The beginning of a body, up to a limit, decoded at the end."""

    __slots__ = ("_bytes", "_limit", "cut")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Grows in place: a list of one-byte parts would take forty times what it holds.
        self._bytes = bytearray()
        self.cut = False

    @property
    def size(self) -> int:
        return len(self._bytes)

    def add(self, data: bytes) -> None:
        room = self._limit - len(self._bytes)
        if len(data) > room:
            self.cut = True
            data = data[:room]
        self._bytes += data

    def take(self) -> bytes:
        body = bytes(self._bytes)
        self._bytes = bytearray()
        return body


def decoded(body: bytes, content_encoding: str) -> tuple[bytes, bool]:
    """A collected body, its coding undone as far as it makes sense, and whether that is all of it."""
    decoder = decoder_for(content_encoding, body[:_KIND_BYTES])
    out: list[bytes] = []
    try:
        # Little at a time, so that what stands before a damage is kept.
        for at in range(0, len(body), _DECODED_AT_ONCE_BYTES):
            out.append(decoder.decode(body[at : at + _DECODED_AT_ONCE_BYTES]))  # noqa: PERF401 - what came before an error counts
    except ProtocolError:
        return b"".join(out), False
    return b"".join(out), True


class ResponseBody:
    """
    A response body.  The content type is only asked where the first bytes leave it open: types lie.

    ``receive`` gives the items that became complete; a document is in ``document`` at the end.
    """

    __slots__ = (
        "_arrays_are_streams",
        "_decoder",
        "_encoding",
        "_head",
        "_lines_are_streams",
        "_media",
        "_parser",
        "_raw",
        "broken",
        "document",
        "kind",
        "lost",
    )

    def __init__(
        self,
        content_encoding: str,
        *,
        arrays_are_streams: bool,
        lines_are_streams: bool = False,
        content_type: str = "",
    ) -> None:
        self._encoding = content_encoding
        self._arrays_are_streams = arrays_are_streams
        # Who says plain JSON sends one document, which may have line ends in it.
        self._lines_are_streams = lines_are_streams and not content_type.lower().startswith("application/json")
        self._media = content_type.lower().startswith(_MEDIA)
        self._decoder: Decoder | None = None
        self._raw = b""
        self._head = b""
        self._parser: SseParser | JsonArrayParser | LinesParser | EventStreamParser | None = None
        self.kind = Kind.UNKNOWN
        self.document = Collector(MAX_DOCUMENT_BYTES)
        self.lost = False
        self.broken = False
        """The content coding made no sense from some point on."""

    @property
    def buffered_bytes(self) -> int:
        return self.document.size + (self._parser.buffered_bytes if self._parser else 0)

    def receive(self, data: bytes) -> Iterable[StreamItem]:
        if self.broken:
            return ()
        if self._decoder is None:
            self._raw += data
            if len(self._raw) < _CODING_BYTES:
                return ()
            data, self._raw = self._raw, b""
            self._decoder = decoder_for(self._encoding, data[:_KIND_BYTES])
        return self._decode(data)

    def _decode(self, data: bytes) -> Iterable[StreamItem]:
        assert self._decoder is not None
        try:
            data = self._decoder.decode(data)
        except ProtocolError:
            # Bytes that were lost under a coding make the rest unreadable; what came before stands.
            self.broken = True
            return ()
        if self.kind is Kind.UNKNOWN:
            # What means nothing in front of JSON and of events is forgotten: some servers send blank lines while they think.
            self._head = (self._head + data).lstrip(_NOTHING)
            if len(self._head) < _KIND_BYTES:
                return ()
            data = self._decide()
        if self._parser is not None:
            return self._parser.receive(data)
        if self.kind is not Kind.MEDIA:
            self.document.add(data)
        return ()

    def _decide(self) -> bytes:
        data, self._head = self._head, b""
        if data.startswith(_FIELDS):
            self.kind, self._parser = Kind.EVENTS, SseParser()
        elif data.startswith(b"[") and self._arrays_are_streams:
            self.kind, self._parser = Kind.ARRAY, JsonArrayParser()
        elif is_frame(data[:PRELUDE_BYTES]):
            self.kind, self._parser = Kind.FRAMES, EventStreamParser()
        elif data.startswith(b"{") and self._lines_are_streams:
            self.kind, self._parser = Kind.LINES, LinesParser()
        elif self._media and not data.startswith((b"{", b"[")):
            self.kind = Kind.MEDIA
        else:
            self.kind = Kind.DOCUMENT
        return data

    def gap(self) -> None:
        """Bytes are missing here."""
        self.lost = True
        if self._decoder is not None and self._encoding:
            self.broken = True
        if self._parser is not None:
            self._parser.gap()

    def close(self) -> Iterable[StreamItem]:
        """The body ended."""
        items: list[StreamItem] = []
        if self._decoder is None and self._raw and not self.broken:
            self._decoder = decoder_for(self._encoding, self._raw)
            items += self._decode(self._raw)
        if self.kind is Kind.UNKNOWN:
            data = self._decide()
            if self._parser is not None:
                items += self._parser.receive(data)
            else:
                self.document.add(data)
        if self._parser is not None and not self.broken:
            items += self._parser.close()
            self.lost = self.lost or (isinstance(self._parser, EventStreamParser) and self._parser.damaged)
        return items
