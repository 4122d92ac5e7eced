"""Drives one session dialect with messages, as the pipeline would."""

from __future__ import annotations

import json

from agent.dialects import SESSION_DIALECTS
from agent.dialects.base import SessionDialect, Turn
from agent.dialects.providers import Providers
from agent.model import Direction, RequestHead, ResponseHead

PROVIDERS = Providers()


class Talk:
    """``say`` is the client, ``hear`` the server; every message ten nanoseconds after the one before."""

    def __init__(self, target: str, host: str = "api.openai.com") -> None:
        request = RequestHead(stream_id=1, method="GET", target=target, headers={"host": host, "upgrade": "websocket"})
        (kind,) = [one for one in SESSION_DIALECTS if one.accepts(request)]
        self.dialect: SessionDialect = kind(request, PROVIDERS.provider_of(request))
        self.dialect.response_head(ResponseHead(stream_id=1, status=101, headers={}))
        self.at_ns = 0
        self.turns: list[Turn] = []

    def say(self, *messages: object) -> Talk:
        return self._feed(Direction.SENT, messages)

    def hear(self, *messages: object) -> Talk:
        return self._feed(Direction.RECEIVED, messages)

    def miss(self, direction: Direction) -> Talk:
        self.at_ns += 10
        self.turns += self.dialect.missing(direction, self.at_ns)
        return self

    def end(self) -> Talk:
        self.turns += self.dialect.close()
        return self

    def _feed(self, direction: Direction, messages: tuple[object, ...]) -> Talk:
        for message in messages:
            self.at_ns += 10
            data = message if isinstance(message, bytes) else json.dumps(message).encode()
            self.turns += self.dialect.message(direction, data, self.at_ns)
        return self

    @property
    def told(self) -> list[tuple[str, bool]]:
        """What is compared most: which response, and whether it is whole."""
        return [(turn.reading.response_id, turn.complete) for turn in self.turns]
