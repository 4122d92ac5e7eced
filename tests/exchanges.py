"""Small exchanges in providers' real shapes, as the bytes of a connection."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.model import Call, Chunk, Closed, ConnId, Direction, PricedCall, Unpriced
from agent.pipeline.pipeline import Output, Pipeline

CONN = ConnId(pid=10, pointer=0x7F00, born_ns=1)
SECOND_NS = 10**9

CHAT_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 8},
    },
}


def request(
    path: str = "/v1/chat/completions",
    host: str = "api.openai.com",
    body: object = None,
    method: str = "POST",
    headers: str = "",
) -> bytes:
    data = (
        json.dumps({"model": "gpt-4o-mini", "messages": []} if body is None else body).encode()
        if method == "POST"
        else b""
    )
    length = f"content-length: {len(data)}\r\n" if data else ""
    return f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}{length}\r\n".encode() + data


def response(body: object = None, status: int = 200, headers: str = "") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(CHAT_ANSWER if body is None else body).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n{headers}\r\n"
    return head.encode() + data


def stream(events: Iterable[object], *, done: bool = True, names: bool = False, status: int = 200) -> bytes:
    """A chunked event stream, an HTTP chunk an event."""
    parts = []
    for event in events:
        name = f"event: {event['type']}\n" if names and isinstance(event, dict) else ""
        parts.append(f"{name}data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
    if done:
        parts.append(b"data: [DONE]\n\n")
    head = f"HTTP/1.1 {status} OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def pipeline(**options: Any) -> Pipeline:
    return Pipeline(
        dialects=DIALECTS,
        provider_of=Providers().provider_of,
        price=lambda _: Unpriced(reason="unknown_model"),
        **options,
    )


class Wire:
    """Feeds one connection; every piece a second after the one before."""

    def __init__(self, core: Pipeline | None = None, conn: ConnId = CONN) -> None:
        self.core = core or pipeline()
        self.conn = conn
        self.at_ns = SECOND_NS
        self.positions = {Direction.SENT: 0, Direction.RECEIVED: 0}
        self.outputs: list[Output] = []

    def send(self, *parts: bytes) -> Wire:
        for part in parts:
            self._feed(Direction.SENT, part)
        return self

    def receive(self, *parts: bytes) -> Wire:
        for part in parts:
            self._feed(Direction.RECEIVED, part)
        return self

    def lose(self, direction: Direction, size: int) -> Wire:
        self.positions[direction] += size
        return self

    def close(self) -> Wire:
        self.outputs += self.core.receive(Closed(conn=self.conn, at_ns=self.at_ns))
        return self

    def _feed(self, direction: Direction, data: bytes) -> None:
        self.at_ns += SECOND_NS
        piece = Chunk(
            conn=self.conn,
            direction=direction,
            position=self.positions[direction],
            data=data,
            at_ns=self.at_ns,
            last_at_ns=self.at_ns,
            cgroup_id=77,
        )
        self.positions[direction] += len(data)
        self.outputs += self.core.receive(piece)

    @property
    def calls(self) -> list[Call]:
        return [output.call for output in self.outputs if isinstance(output, PricedCall)]
