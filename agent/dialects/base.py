"""
What a dialect is: a reader of one wire API's bodies.

The pipeline owns framing, content codings and the split of streams into items; a dialect sees whole decoded bodies and single
items, in order, and says at the end what it learned.  It may raise ``ProtocolError`` or nothing: odd values are remarks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from agent.model import Direction, Reading, RequestHead, ResponseHead, StreamItem


class Dialect(Protocol):
    """One instance reads one exchange."""

    api: ClassVar[str]
    """``openai/chat`` …: who invented the format and which of their APIs it is, never who speaks it today."""

    arrays_are_streams: ClassVar[bool]
    """A body that is one JSON array is a stream of its elements (Gemini)."""

    lines_are_streams: ClassVar[bool]
    """A body of JSON lines is a stream of them (Ollama), unless its content type says that it is one JSON document."""

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        """Whether the head is a request of this API, by method and path alone.  Called in the order of ``DIALECTS``."""
        ...

    def __init__(self, request: RequestHead, provider: str) -> None: ...

    def request_body(self, body: bytes, complete: bool) -> None:
        """The decoded request body, once; cut or with holes where ``complete`` is False (then read what certainly is there)."""

    def response_head(self, head: ResponseHead) -> None: ...

    def document(self, body: bytes, complete: bool) -> None:
        """The whole decoded body of an answer that is not streamed, once."""

    def item(self, item: StreamItem) -> None:
        """One item of a streamed answer.  Called for every item, so look before parsing: most carry no figures."""

    def reading(self, *, complete: bool, streaming: bool) -> Reading:
        """What was learned.  ``complete`` is False when the response was cut or lost bytes: then only a final usage seen is REPORTED."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer of a session: what one exchange is on the other APIs."""

    reading: Reading
    started_at_ns: int
    """When it was asked for; where nobody asks, when the answer began."""
    first_token_at_ns: int = 0
    complete: bool = True
    """The provider said that it is over."""


class Counter(Protocol):
    """Counts what one answer used, for the case that it never says so; the pipeline's, who knows about estimates."""

    @property
    def held_bytes(self) -> int: ...

    def request(self, body: bytes, complete: bool) -> None: ...

    def item(self, data: bytes) -> None: ...

    def estimated(self, reading: Reading, *, complete: bool) -> Reading: ...


class SessionDialect(Dialect, Protocol):
    """
    A dialect that goes on after the handshake: one instance reads one WebSocket, and gives a turn as soon as it is over.

    The methods of ``Dialect`` read the handshake, which matters where it is refused.
    """

    new_counter: Callable[[], Counter] | None
    """Given where estimates are wanted.  Used by APIs whose questions hold all that is billed; a conversation's turns are billed with all before."""

    @property
    def recognised(self) -> bool:
        """A message had this API's shape.  Until then, on an unknown host, it may be anybody's WebSocket."""
        ...

    @property
    def buffered_bytes(self) -> int:
        """What is kept of turns under way."""
        ...

    def message(self, direction: Direction, data: bytes, at_ns: int) -> Iterable[Turn]:
        """One whole message.  Called for every piece of sound, so look before parsing."""
        ...

    def missing(self, direction: Direction, at_ns: int) -> Iterable[Turn]:
        """A message was there and can't be read."""
        ...

    def close(self) -> Iterable[Turn]:
        """Nothing more will be read: the turns under way, as cut."""
        ...
