"""A message body on its way to a dialect: content coding undone, kind found out by its first bytes, size bounded."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence

from agent.model import ProtocolError, StreamItem
from agent.protocol.content import Decoder, Identity, decoder_for
from agent.protocol.eventstream import PRELUDE_BYTES, EventStreamParser, is_frame
from agent.protocol.grpc import GrpcParser
from agent.protocol.json_array import JsonArrayParser
from agent.protocol.lines import LinesParser
from agent.protocol.skim import Skimmer
from agent.protocol.sse import SseParser

# Of text: two million tokens, as much as the largest models take.
MAX_REQUEST_BYTES = 8 * 1024 * 1024
# Results of a large batch.
MAX_DOCUMENT_BYTES = 32 * 1024 * 1024
# Larger ones are skimmed; what most calls send is not worth a look.
_VERBATIM_BYTES = 64 * 1024

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
    MESSAGES = enum.auto()
    """gRPC's."""
    MEDIA = enum.auto()
    """Sound or pictures: there is nothing to read, so nothing is kept."""


STREAMS = frozenset({Kind.EVENTS, Kind.ARRAY, Kind.LINES, Kind.FRAMES, Kind.MESSAGES})
_MEDIA = ("audio/", "image/", "video/")
_GRPC = "application/grpc"
Parser = SseParser | JsonArrayParser | LinesParser | EventStreamParser | GrpcParser


class Collector:
    """The beginning of a body, up to a limit; of a large one in JSON what is readable."""

    __slots__ = ("_bytes", "_limit", "_skimmer", "cut")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Grows in place: a list of one-byte parts would take forty times what it holds.
        self._bytes = bytearray()
        self._skimmer: Skimmer | None = None
        self.cut = False

    @property
    def size(self) -> int:
        return len(self._bytes)

    def add(self, data: bytes) -> None:
        room = self._limit - len(self._bytes)
        if room <= 0:
            self.cut = self.cut or bool(data)
            return
        if self._skimmer is None and len(self._bytes) + len(data) > _VERBATIM_BYTES and self._is_json(data):
            self._skimmer = Skimmer()
            self._skimmer.receive(bytes(self._bytes))
            self._bytes = self._skimmer.kept
        if self._skimmer is not None:
            self._skimmer.receive(data)
        else:
            self._bytes += data[: room + 1]
        if len(self._bytes) > self._limit:
            self.cut = True
            del self._bytes[self._limit :]

    def gap(self) -> None:
        """Bytes are missing here."""
        self.cut = True
        if self._skimmer is not None:
            self._skimmer.gap()
        if len(self._bytes) < self._limit:
            # What stands on both sides of a hole can look like one value: JSON has no zero byte, so nothing is read across it.
            self._bytes += b"\0"

    def take(self) -> bytes:
        if self._skimmer is not None:
            self._skimmer.close()
        body = bytes(self._bytes)
        self._bytes = bytearray()
        self._skimmer = None
        return body

    def _is_json(self, data: bytes) -> bool:
        return (bytes(self._bytes[:_KIND_BYTES]) or data[:_KIND_BYTES]).lstrip(_NOTHING).startswith((b"{", b"["))


class Uncoded:
    """A body's bytes, their content coding undone as they come."""

    __slots__ = ("_decoder", "_encoding", "_raw", "broken", "plain")

    def __init__(self, content_encoding: str) -> None:
        self._encoding = content_encoding
        self._decoder: Decoder | None = None
        self._raw = b""
        self.broken = False
        """The coding made no sense from some point on; what came before stands."""
        self.plain = False
        """There is no coding: from here on what comes is what it means."""

    def receive(self, data: bytes) -> Iterable[bytes]:
        if self._decoder is None:
            self._raw += data
            if len(self._raw) < _CODING_BYTES:
                return ()
            data = self._begin()
        return () if self.broken else self._decode(data)

    def gap(self) -> None:
        """Bytes are missing here: under a coding nobody reads on."""
        if self._decoder is not None and self._encoding:
            self.broken = True

    def close(self) -> Iterable[bytes]:
        """The body ended: one of a few bytes is decided now."""
        return self._decode(self._begin()) if self._raw else ()

    def _begin(self) -> bytes:
        data, self._raw = self._raw, b""
        self._decoder = decoder_for(self._encoding, data[:_KIND_BYTES])
        self.plain = isinstance(self._decoder, Identity)
        return data

    def _decode(self, data: bytes) -> Iterable[bytes]:
        return (data,) if self.plain else self._decoded(data)

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        assert self._decoder is not None
        # Little at a time, so that what stands before a damage is kept.
        for at in range(0, len(data), _DECODED_AT_ONCE_BYTES):
            if self.broken:
                return
            try:
                yield self._decoder.decode(data[at : at + _DECODED_AT_ONCE_BYTES])
            except ProtocolError:
                self.broken = True


class RequestBody:
    """A request body, decoded and bounded."""

    __slots__ = ("_document", "_uncoded")

    def __init__(self, content_encoding: str) -> None:
        self._uncoded = Uncoded(content_encoding)
        self._document = Collector(MAX_REQUEST_BYTES)

    @property
    def buffered_bytes(self) -> int:
        return self._document.size

    def receive(self, data: bytes) -> None:
        for part in self._uncoded.receive(data):
            self._document.add(part)

    def gap(self) -> None:
        self._uncoded.gap()
        self._document.gap()

    def close(self) -> tuple[bytes, bool]:
        """What there is of it, and whether that is all but pictures and vectors."""
        for part in self._uncoded.close():
            self._document.add(part)
        return self._document.take(), not (self._uncoded.broken or self._document.cut)


class ResponseBody:
    """
    A response body.  The content type is only asked where the first bytes leave it open: types lie.

    ``receive`` gives the items that became complete; a document is in ``document`` at the end.
    """

    __slots__ = (
        "_arrays_are_streams",
        "_guesses_messages",
        "_head",
        "_lines_are_streams",
        "_media",
        "_messages",
        "_parser",
        "_uncoded",
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
        message_encoding: str = "",
        guesses_messages: bool = False,
    ) -> None:
        """``guesses_messages``: what the head says may be missing, so gRPC is told by its first byte, and what goes wrong then was none."""
        self._guesses_messages = guesses_messages
        self._uncoded = Uncoded(content_encoding)
        self._arrays_are_streams = arrays_are_streams
        # Who says plain JSON sends one document, which may have line ends in it.
        self._lines_are_streams = lines_are_streams and not content_type.lower().startswith("application/json")
        self._media = content_type.lower().startswith(_MEDIA)
        self._messages = GrpcParser(message_encoding) if content_type.lower().startswith(_GRPC) else None
        self._head = b""
        self._parser: Parser | None = None
        self.kind = Kind.UNKNOWN
        self.document = Collector(MAX_DOCUMENT_BYTES)
        self.lost = False

    @property
    def is_grpc(self) -> bool:
        return self._messages is not None or self.kind is Kind.MESSAGES

    @property
    def broken(self) -> bool:
        """The content coding made no sense from some point on."""
        return self._uncoded.broken

    @property
    def buffered_bytes(self) -> int:
        return self.document.size + (self._parser.buffered_bytes if self._parser else 0)

    def receive(self, data: bytes) -> Sequence[StreamItem]:
        if self._uncoded.plain and not self._uncoded.broken:
            return self._read(data)
        return [item for part in self._uncoded.receive(data) for item in self._read(part)]

    def _read(self, data: bytes) -> Sequence[StreamItem]:
        if self.kind is Kind.UNKNOWN:
            # What means nothing in front of JSON and of events is forgotten: some servers send blank lines while they think.
            self._head = (self._head + data).lstrip(_NOTHING)
            if len(self._head) < _KIND_BYTES and self._messages is None:
                return ()
            data = self._decide()
        if self._parser is not None:
            return self._parse(self._parser, data)
        if self.kind is not Kind.MEDIA:
            self.document.add(data)
        return ()

    def _parse(self, parser: Parser, data: bytes) -> Sequence[StreamItem]:
        try:
            return parser.receive(data)
        except ProtocolError:
            if not (self._guesses_messages and isinstance(parser, GrpcParser)):
                raise
            parser.gap()
            return ()

    def _decide(self) -> bytes:
        data, self._head = self._head, b""
        if self._messages is not None and data[:1] in (b"", b"\0", b"\1"):
            self.kind, self._parser = Kind.MESSAGES, self._messages
        elif data.startswith(_FIELDS):
            self.kind, self._parser = Kind.EVENTS, SseParser()
        elif data.startswith(b"[") and self._arrays_are_streams:
            self.kind, self._parser = Kind.ARRAY, JsonArrayParser()
        elif is_frame(data[:PRELUDE_BYTES]):
            self.kind, self._parser = Kind.FRAMES, EventStreamParser()
        elif self._guesses_messages and data[:1] in (b"\0", b"\1"):
            self.kind, self._parser = Kind.MESSAGES, GrpcParser()
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
        self._uncoded.gap()
        if self._parser is not None:
            self._parser.gap()
        else:
            self.document.gap()

    def close(self) -> Sequence[StreamItem]:
        """The body ended."""
        items: list[StreamItem] = []
        for part in self._uncoded.close():
            items += self._read(part)
        if self.kind is Kind.UNKNOWN:
            data = self._decide()
            if self._parser is not None:
                items += self._parse(self._parser, data)
            else:
                self.document.add(data)
        if self._parser is not None and not self.broken:
            items += self._parser.close()
            self.lost = self.lost or (isinstance(self._parser, EventStreamParser | GrpcParser) and self._parser.damaged)
        return items
