"""Drives one dialect with bodies, as the pipeline would."""

from __future__ import annotations

import json

from agent.dialects import DIALECTS
from agent.dialects.base import Dialect
from agent.dialects.providers import Providers
from agent.model import Reading, RequestHead, ResponseHead, StreamItem

PROVIDERS = Providers()


def head(path: str, host: str, method: str = "POST") -> RequestHead:
    return RequestHead(stream_id=1, method=method, target=path, headers={"host": host})


def dialect_of(request: RequestHead) -> type[Dialect] | None:
    return next((dialect for dialect in DIALECTS if dialect.accepts(request)), None)


def read(
    path: str,
    host: str,
    *,
    asked: object = None,
    answer: object = None,
    items: list[object] | None = None,
    status: int = 200,
    complete: bool = True,
    headers: dict[str, str] | None = None,
    names: bool = False,
    method: str = "POST",
) -> Reading:
    """The reading of one exchange: a document (``answer``) or a stream (``items``; strings and bytes go as they are)."""
    request = head(path, host, method)
    kind = dialect_of(request)
    assert kind is not None, path
    dialect = kind(request, PROVIDERS.provider_of(request))
    dialect.request_body(json.dumps(asked or {}).encode(), True)
    dialect.response_head(ResponseHead(stream_id=1, status=status, headers=headers or {}))
    for item in items or []:
        if isinstance(item, StreamItem):
            dialect.item(item)
            continue
        data = (
            item if isinstance(item, bytes) else (item.encode() if isinstance(item, str) else json.dumps(item).encode())
        )
        name = str(item["type"]) if names and isinstance(item, dict) and "type" in item else ""
        dialect.item(StreamItem(name, data))
    if items is None:
        dialect.document(answer if isinstance(answer, bytes) else json.dumps(answer).encode(), complete)
    return dialect.reading(complete=complete, streaming=items is not None)


def chat(usage: object, host: str = "api.openai.com", path: str = "/v1/chat/completions", **more: object) -> Reading:
    """A whole chat answer with this usage."""
    body = {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "message": {}, "finish_reason": "stop"}],
        "usage": usage,
        **more,
    }
    return read(path, host, answer=body)


def counts(reading: Reading) -> tuple[int | None, int | None]:
    """What is compared most."""
    return reading.usage.input_tokens, reading.usage.output_tokens
