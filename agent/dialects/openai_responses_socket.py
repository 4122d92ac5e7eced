"""
OpenAI Responses over a WebSocket: ``…/responses`` upgraded; each ``response.create`` is a request of the HTTP API without its transport.

Reference: https://developers.openai.com/api/docs/guides/websocket-mode
Answers come one at a time, in the order in which they were asked for, as the events of the HTTP API's stream.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, NamedTuple

from agent.dialects.base import Turn
from agent.dialects.openai_responses import OpenAiResponses
from agent.dialects.reader import Reader
from agent.dialects.values import mapping, parse, word
from agent.model import Direction, RequestHead, ResponseHead, StreamItem

_PATH = re.compile(r"/responses(?:/ws)?$")
_TYPE = re.compile(rb'"type"\s*:\s*"([A-Za-z0-9_.]{1,96})"')
_RESPONSE_ID = re.compile(rb'"response"\s*:\s*\{\s*"id"\s*:\s*"([^"\\]{1,256})"')
# The keys before these two are short.
_HEAD_BYTES = 512
_ERRORS = frozenset({"error", "response.error"})
_ENDS = _ERRORS | {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}
# Clients ask again when they have their answer.  One that does not is told the oldest as cut.
_MAX_ASKED = 64


class _Asked(NamedTuple):
    answer: OpenAiResponses
    at_ns: int


class OpenAiResponsesSocket(Reader):
    # The same answers under the same ids: one made here can be polled there.
    api: ClassVar[str] = "openai/responses"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return _PATH.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self._head = replace(request, method="POST")
        self._asked: deque[_Asked] = deque()
        self._under_way: _Asked | None = None
        self._first_token_at_ns = 0
        self._held_bytes = 0
        """Of the answer under way: its beginning repeats the question's tools."""
        self._deaf = {Direction.SENT: False, Direction.RECEIVED: False}
        """Messages were missing: questions, or ends of answers."""
        self._response_id = b""
        """Of the answer under way, as far as it was told."""

    @property
    def recognised(self) -> bool:
        return self._recognised

    @property
    def buffered_bytes(self) -> int:
        return 1024 * len(self._asked) + self._held_bytes

    def message(self, direction: Direction, data: bytes, at_ns: int) -> Iterable[Turn]:
        found = _TYPE.search(data, 0, _HEAD_BYTES)
        kind = found[1].decode() if found else ""
        if direction is Direction.SENT:
            return self._on_sent(data, at_ns)
        if kind.endswith(".delta"):
            if self._under_way is not None and not self._first_token_at_ns:
                self._first_token_at_ns = at_ns
            return ()
        if not kind.startswith("response.") and kind not in _ENDS:
            kind = word(mapping(parse(data)).get("type"))  # what was found stood deeper, or behind long values
            if not kind.startswith("response.") and kind not in _ENDS:
                return ()
        if self._under_way is None and not self._asked and kind in _ERRORS and not self._deaf[Direction.SENT]:
            return ()  # of the connection: it has been open for too long
        self._recognised = self._recognised or kind not in _ERRORS
        turns: list[Turn] = []
        told = _RESPONSE_ID.search(data, 0, _HEAD_BYTES)
        response_id = told[1] if told else self._response_id
        if self._under_way is not None and (kind == "response.created" or self._response_id not in (b"", response_id)):
            turns.append(self._turn(self._under_way, complete=False))  # its end was missed
        if self._under_way is None:
            # One without a question was asked before we came, or its question was lost.
            self._under_way = self._asked.popleft() if self._asked else _Asked(self._reader(), at_ns)
        self._response_id = response_id
        self._held_bytes = max(self._held_bytes, len(data))
        self._under_way.answer.item(StreamItem(kind, data))
        if kind in _ENDS:
            turns.append(self._turn(self._under_way, complete=True))
        return turns

    def missing(self, direction: Direction, at_ns: int) -> Iterable[Turn]:
        self._deaf[direction] = True
        return ()

    def close(self) -> Iterable[Turn]:
        turns = [self._turn(self._under_way, complete=False)] if self._under_way is not None else []
        while self._asked:
            turns.append(self._turn(self._asked.popleft(), complete=False))
        return turns

    def _on_sent(self, data: bytes, at_ns: int) -> Iterable[Turn]:
        if mapping(parse(data)).get("type") != "response.create":
            return ()
        turns: list[Turn] = []
        if self._deaf[Direction.RECEIVED]:
            # Clients ask again when they have their answer, so what is open has ended, and its end is what was missing.
            self._deaf[Direction.RECEIVED] = False
            turns += self.close()
        answer = self._reader()
        answer.request_body(data, complete=True)
        self._asked.append(_Asked(answer, at_ns))
        if len(self._asked) > _MAX_ASKED:
            turns.append(self._turn(self._asked.popleft(), complete=False))
        return turns

    def _reader(self) -> OpenAiResponses:
        reader = OpenAiResponses(self._head, self.provider)
        reader.response_head(ResponseHead(stream_id=0, status=200, headers={}))
        return reader

    def _turn(self, asked: _Asked, *, complete: bool) -> Turn:
        first_token_at_ns = 0
        if asked is self._under_way:
            first_token_at_ns, self._first_token_at_ns = self._first_token_at_ns, 0
            self._under_way, self._response_id, self._held_bytes = None, b"", 0
        return Turn(
            reading=asked.answer.reading(complete=complete, streaming=True),
            started_at_ns=asked.at_ns,
            first_token_at_ns=first_token_at_ns,
            complete=complete,
        )
