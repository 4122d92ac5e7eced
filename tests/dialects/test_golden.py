"""
Golden exchanges: one folder a dialect, one file an exchange, written by hand in the shapes that providers send.

``request.body`` is JSON; the response has ``body`` (JSON), ``text`` (lines as they stand on the wire) or ``frames`` (Amazon's: name and
payload).  ``grpc`` stands for either: messages in base64, as the provider's own library writes them.  ``expected`` names
the fields of ``podtab replay --json`` that matter; each is compared exactly.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

import agent.dialects
from agent.dialects import DIALECTS, SESSION_DIALECTS
from agent.pricing import Pricer
from agent.replay import replay, to_json
from agent.replay_exchange import Framing
from tests.protocol.frames import event

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = sorted(path for path in GOLDEN.glob("*/*.json") if "messages" not in json.loads(path.read_text("utf-8")))
"""Sessions are in test_golden_sessions.py."""
FRAMINGS = {
    "as it is": Framing(),
    "HTTP/2, byte by byte, odd frames": Framing(
        http2=True, chunk_sizes=lambda size: [7] * (size // 7 + 1), cuts=lambda size: [1] * size
    ),
    "byte by byte, chunked": Framing(chunk_sizes=lambda size: [7] * (size // 7 + 1), cuts=lambda size: [1] * size),
    "gzip, chunked": Framing(
        coding=lambda body: ("gzip", gzip.compress(body)), chunk_sizes=lambda size: [50] * (size // 50 + 1)
    ),
}


def exchange(golden: dict[str, dict[str, object]]) -> dict[str, object]:
    """In the format of recorded exchanges."""
    request, response = golden["request"], golden["response"]
    asked = b"" if request.get("body") is None else json.dumps(request["body"]).encode()
    asked = grpc(request["grpc"]) if "grpc" in request else asked
    return {
        "id": "golden",
        "request": {"headers": [], **request, "body_b64": base64.b64encode(asked).decode()},
        "response": {
            **response,
            "headers": response.get("headers")
            or ([["content-type", "application/json"]] if "body" in response else []),
            "body_b64": base64.b64encode(answer_of(response)).decode(),
        },
    }


def grpc(messages: object) -> bytes:
    """Messages as base64, framed."""
    assert isinstance(messages, list)
    decoded = [base64.b64decode(message) for message in messages]
    return b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in decoded)


def answer_of(response: dict[str, object]) -> bytes:
    """The bytes of the body."""
    if "text" in response:
        return "".join(response["text"]).encode()  # type: ignore[arg-type]
    if "grpc" in response:
        return grpc(response["grpc"])
    if "frames" in response:
        frames: list[tuple[str, object]] = response["frames"]  # type: ignore[assignment]
        return b"".join(
            event(name, (payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))).encode())
            for name, payload in frames
        )
    return json.dumps(response["body"]).encode()


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS.keys())
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden_exchange(path: Path, framing: Framing, tmp_path: Path) -> None:
    """Through the whole core, however it is framed."""
    golden = json.loads(path.read_text(encoding="utf-8"))
    (tmp_path / "exchanges.jsonl").write_text(json.dumps(exchange(golden)), encoding="utf-8")
    (result,) = replay(tmp_path / "exchanges.jsonl", Pricer().price, framing)
    line = json.loads(to_json(result))
    assert {name: line.get(name) for name in golden["expected"]} == golden["expected"]


def test_every_dialect_has_its_golden_folder() -> None:
    """And every folder its dialect: a new one is a file, a line and a folder."""
    modules = {dialect.__module__.rpartition(".")[2] for dialect in DIALECTS}
    assert {path.parent.name for path in FILES} == modules
    seen = {json.loads(path.read_text(encoding="utf-8"))["expected"]["api"] for path in FILES}
    assert seen == {dialect.api for dialect in DIALECTS}


def test_every_dialect_is_listed() -> None:
    """A file with an ``api`` that nobody lists would be dead; ``by_body`` stands for those that it becomes."""
    folder = Path(agent.dialects.__file__).parent
    with_api = {path.stem for path in folder.glob("*.py") if "    api: ClassVar[str] = " in path.read_text("utf-8")}
    assert with_api - {"by_body"} == {
        dialect.__module__.rpartition(".")[2] for dialect in (*DIALECTS, *SESSION_DIALECTS)
    }
