"""Requests as the SDKs make them, for tests of the fake."""

import json
from collections.abc import Sequence
from typing import Any

from agent.demo.provider.exchange import Answer, Draw, Request

DRAW = Draw.of("tests", 1)


def request(
    path: str,
    body: object = None,
    *,
    host: str = "api.openai.com",
    query: str = "",
    retry: int = 0,
    client: str = "tests",
) -> Request:
    return Request(
        method="POST",
        host=host,
        path=path,
        query=query,
        headers={"authorization": f"Bearer sk-demo-{client}", "x-stainless-retry-count": str(retry)},
        body=json.dumps(body or {}).encode(),
    )


def document(answer: Answer) -> dict[str, Any]:
    (piece,) = answer.pieces
    loaded = json.loads(piece)
    assert isinstance(loaded, dict)
    return loaded


def events(pieces: Sequence[bytes]) -> list[dict[str, Any]]:
    """The JSON of every event, in order, without [DONE]."""
    lines = b"".join(pieces).replace(b"\r\n", b"\n").split(b"\n")
    return [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
