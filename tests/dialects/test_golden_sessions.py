"""
Golden sessions: as golden exchanges, but ``messages`` (who, and what: JSON) instead of request and response, and a list ``expected``, one
for each turn.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from agent.dialects import SESSION_DIALECTS
from agent.pricing import Pricer
from agent.replay import replay, to_json
from agent.replay_exchange import Framing
from tests.dialects.framings import random_sizes
from tests.dialects.test_golden import GOLDEN

SESSIONS = sorted(path for kind in SESSION_DIALECTS for path in (GOLDEN / kind.__module__.rpartition(".")[2]).iterdir())
DEFLATE = "permessage-deflate"
FRAMINGS = {
    "as it is": Framing(),
    "byte by byte": Framing(cuts=lambda size: [1] * size),
    "at random": Framing(cuts=random_sizes(7)),
    "compressed": Framing(extensions=DEFLATE),
    "compressed one by one, at random": Framing(
        extensions=f"{DEFLATE}; client_no_context_takeover; server_no_context_takeover", cuts=random_sizes(11)
    ),
}


def session(golden: dict[str, object]) -> dict[str, object]:
    """In the format of recorded sessions."""
    messages: list[tuple[str, object]] = golden["messages"]  # type: ignore[assignment]
    return {
        "id": "golden",
        "url": golden["url"],
        "messages": [
            {
                "direction": direction,
                # Gemini says its JSON in either.
                "kind": "binary" if "BidiGenerate" in str(golden["url"]) and direction == "received" else "text",
                "data_b64": base64.b64encode(json.dumps(said, separators=(",", ":")).encode()).decode(),
            }
            for direction, said in messages
        ],
    }


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS.keys())
@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden_session(path: Path, framing: Framing, tmp_path: Path) -> None:
    """Turn for turn through the whole core, however it is framed and compressed."""
    golden = json.loads(path.read_text(encoding="utf-8"))
    (tmp_path / "sessions.jsonl").write_text(json.dumps(session(golden)), encoding="utf-8")
    lines = [json.loads(to_json(result)) for result in replay(tmp_path / "sessions.jsonl", Pricer().price, framing)]
    expected = golden["expected"]
    assert [{name: line.get(name) for name in turn} for line, turn in zip(lines, expected, strict=True)] == expected


def test_every_session_dialect_has_its_golden_folder() -> None:
    """And each API its turn."""
    apis = {turn["api"] for path in SESSIONS for turn in json.loads(path.read_text("utf-8"))["expected"]}
    assert apis == {dialect.api for dialect in SESSION_DIALECTS}
