"""
OpenAI Responses over a WebSocket: ``…/responses`` upgraded; each ``response.create`` is a request of the HTTP API without its transport.

Reference: https://developers.openai.com/api/docs/guides/websocket-mode
Answers are the events of the HTTP API's stream.  In one lane they come one at a time, in the order in which they were asked for; lanes, which a
``stream_id`` on question and events names, run side by side.  A client can steer an answer, which then ends; the one that follows has
no question of its own.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple

from agent.dialects.base import Counter, Turn
from agent.dialects.openai_responses import OpenAiResponses
from agent.dialects.reader import Reader
from agent.dialects.values import get, mapping, parse, word
from agent.model import Direction, RequestHead, ResponseHead, StreamItem

_PATH = re.compile(r"/responses(?:/ws)?$")
_TYPE = re.compile(rb'"type"\s*:\s*"([A-Za-z0-9_.]{1,96})"')
_RESPONSE_ID = re.compile(rb'"response"\s*:\s*\{\s*"id"\s*:\s*"([^"\\]{1,256})"')
# The keys before these two are short.
_HEAD_BYTES = 512
_ERRORS = frozenset({"error", "response.error"})
_ENDS = _ERRORS | {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}
# What becomes of a client's steering; no answer begins or ends with it.
_STEERING = "response.steer."
# Clients ask again when they have their answer.  One that does not is told the oldest as cut.
_MAX_ASKED = 64
# OpenAI's own client opens some eight.
_MAX_LANES = 64


class _Asked(NamedTuple):
    answer: OpenAiResponses
    at_ns: int
    counter: Counter | None

    @property
    def held_bytes(self) -> int:
        return 1024 + (self.counter.held_bytes if self.counter is not None else 0)


@dataclass(slots=True)
class _Lane:
    asked: deque[_Asked] = field(default_factory=deque)
    under_way: _Asked | None = None
    response_id: bytes = b""
    """Of the answer under way, as far as it was told."""
    first_token_at_ns: int = 0
    held_bytes: int = 0
    """Of the answer under way: its beginning repeats the question's tools."""
    deaf: bool = False
    """Events were missing since the last question: the end of its answer may be one of them."""

    @property
    def buffered_bytes(self) -> int:
        open_ones = [*self.asked, self.under_way] if self.under_way is not None else self.asked
        return 1024 + self.held_bytes + sum(asked.held_bytes for asked in open_ones)

    def end(self, asked: _Asked, *, complete: bool) -> Turn:
        reading = asked.answer.reading(complete=complete, streaming=True)
        first_token_at_ns = 0
        if asked is self.under_way:
            if asked.counter is not None:
                reading = asked.counter.estimated(reading, complete=complete)
            first_token_at_ns = self.first_token_at_ns
            self.under_way, self.response_id = None, b""
            self.first_token_at_ns = self.held_bytes = 0
        return Turn(
            reading=reading,
            started_at_ns=asked.at_ns,
            first_token_at_ns=first_token_at_ns,
            complete=complete,
        )

    def close(self) -> list[Turn]:
        """Everything open, as cut."""
        turns = [self.end(self.under_way, complete=False)] if self.under_way is not None else []
        while self.asked:
            turns.append(self.end(self.asked.popleft(), complete=False))
        return turns


class OpenAiResponsesSocket(Reader):
    # The same answers under the same ids: one made here can be polled there.
    api: ClassVar[str] = "openai/responses"

    @staticmethod
    def accepts(request: RequestHead) -> bool:
        return _PATH.search(request.path) is not None

    def __init__(self, request: RequestHead, provider: str) -> None:
        super().__init__(request, provider)
        self._head = replace(request, method="POST")
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        """By ``stream_id``; "" without one."""
        self._questions_missing = False

    @property
    def recognised(self) -> bool:
        return self._recognised

    @property
    def buffered_bytes(self) -> int:
        return sum(lane.buffered_bytes for lane in self._lanes.values())

    def message(self, direction: Direction, data: bytes, at_ns: int) -> Iterable[Turn]:
        if direction is Direction.SENT:
            return self._on_sent(data, at_ns)
        found = _TYPE.search(data, 0, _HEAD_BYTES)
        kind = found[1].decode() if found else ""
        if not kind.startswith("response.") and kind not in _ENDS:
            kind = word(get(parse(data), "type"))  # what was found stood deeper, or behind long values
        if kind.startswith(_STEERING) or not (kind.startswith("response.") or kind in _ENDS):
            return ()
        name = word(get(parse(data), "stream_id")) if b'"stream_id"' in data else ""
        if kind.endswith(".delta"):
            lane = self._lanes.get(name)
            if lane is not None and lane.under_way is not None:
                lane.first_token_at_ns = lane.first_token_at_ns or at_ns
                if lane.under_way.counter is not None:
                    lane.under_way.counter.item(data)
            return ()
        return self._on_event(name, kind, data, at_ns)

    def _on_event(self, name: str, kind: str, data: bytes, at_ns: int) -> Iterable[Turn]:
        lane, turns = self._lane(name)
        if lane.under_way is None and not lane.asked and kind in _ERRORS and not self._questions_missing:
            return turns  # of the connection: it has been open for too long
        self._recognised = self._recognised or kind not in _ERRORS
        told = _RESPONSE_ID.search(data, 0, _HEAD_BYTES)
        response_id = told[1] if told else lane.response_id
        if lane.under_way is not None and (kind == "response.created" or lane.response_id not in (b"", response_id)):
            turns.append(lane.end(lane.under_way, complete=False))  # its end was missed
        if lane.under_way is None:
            # One without a question was steered to, was asked before we came, or its question was lost.
            lane.under_way = lane.asked.popleft() if lane.asked else self._opened(at_ns)
        lane.response_id = response_id
        lane.held_bytes = max(lane.held_bytes, len(data))
        lane.under_way.answer.item(StreamItem(kind, data))
        if kind in _ENDS:
            turns.append(lane.end(lane.under_way, complete=True))
        return turns

    def missing(self, direction: Direction, at_ns: int) -> Iterable[Turn]:
        if direction is Direction.SENT:
            self._questions_missing = True
        else:
            for lane in self._lanes.values():
                lane.deaf = True
        return ()

    def close(self) -> Iterable[Turn]:
        return [turn for lane in self._lanes.values() for turn in lane.close()]

    def _on_sent(self, data: bytes, at_ns: int) -> Iterable[Turn]:
        said = mapping(parse(data))
        if said.get("type") != "response.create":
            return ()
        lane, turns = self._lane(word(said.get("stream_id")))
        if lane.deaf:
            # Clients ask again when they have their answer, so what is open has ended, and its end is what was missing.
            lane.deaf = False
            turns += lane.close()
        asked = self._opened(at_ns)
        asked.answer.request_body(data, complete=True)
        if asked.counter is not None:
            asked.counter.request(data, True)
        lane.asked.append(asked)
        if len(lane.asked) > _MAX_ASKED:
            turns.append(lane.end(lane.asked.popleft(), complete=False))
        return turns

    def _lane(self, name: str) -> tuple[_Lane, list[Turn]]:
        """The lane, and what was open in the one that had to go for it."""
        lane = self._lanes.get(name)
        if lane is not None:
            self._lanes.move_to_end(name)
            return lane, []
        turns = self._lanes.popitem(last=False)[1].close() if len(self._lanes) >= _MAX_LANES else []
        lane = self._lanes[name] = _Lane()
        return lane, turns

    def _opened(self, at_ns: int) -> _Asked:
        answer = OpenAiResponses(self._head, self.provider)
        answer.response_head(ResponseHead(stream_id=0, status=200, headers={}))
        return _Asked(answer, at_ns, self.new_counter() if self.new_counter is not None else None)
