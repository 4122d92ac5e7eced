"""Recorded sessions become connections: the handshake, frames as the RFC has them, and every recorded turn as it was."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent.model import Call, Direction, Unpriced
from agent.replay import ReplayError, replay, to_json
from agent.replay_exchange import Framing
from agent.replay_session import session_bytes
from tests.corpus import SESSIONS, needs_corpus
from tests.dialects.framings import random_sizes
from tests.protocol.websocket_frames import BINARY, frame

WHOLE = {
    "id": "s#0",
    "url": "wss://api.openai.com/v1/realtime?model=gpt-realtime",
    "messages": [
        {"direction": "received", "kind": "text", "data_b64": base64.b64encode(b'{"type":"session.created"}').decode()},
        {"direction": "sent", "kind": "binary", "data_b64": base64.b64encode(b"x" * 200).decode()},
        {"direction": "sent", "kind": "text", "data_b64": base64.b64encode(b"y" * 70_000).decode()},
    ],
}


def no_price(_: Call) -> Unpriced:
    return Unpriced(reason="unknown_model")


def test_a_session_is_written_as_its_client_and_server_would() -> None:
    """Masked from the client, plain from the server, every length of length: equal to another library's frames."""
    ask, answer, first, then = session_bytes(WHOLE, "", "/v1/realtime?model=gpt-realtime")
    assert ask[1].startswith(b"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: api.openai.com\r\n")
    assert answer[1].startswith(b"HTTP/1.1 101 ")
    assert first == (Direction.RECEIVED, frame(b'{"type":"session.created"}'))
    assert then == (Direction.SENT, frame(b"x" * 200, BINARY, masked=True) + frame(b"y" * 70_000, masked=True))


@pytest.mark.parametrize(
    "broken",
    [
        {**WHOLE, "messages": [{"direction": "sideways", "kind": "text", "data_b64": ""}]},
        {**WHOLE, "messages": [{"direction": "sent", "kind": "text", "data_b64": "!"}]},
        {**WHOLE, "messages": [{"direction": "sent"}]},
        {**WHOLE, "messages": 7},
        {"id": "s#0", "messages": []},
    ],
)
def test_a_broken_session_is_told_in_one_sentence(broken: dict[str, object], tmp_path: Path) -> None:
    """With the line, as a broken exchange."""
    (tmp_path / "f").write_text(json.dumps(broken))
    with pytest.raises(ReplayError, match="line 1: not a whole recorded exchange"):
        list(replay(tmp_path / "f", no_price))


def test_a_session_of_somebody_elses_gives_one_line(tmp_path: Path) -> None:
    """Every recording gives a line, also one that is not ours."""
    (tmp_path / "f").write_text(json.dumps({**WHOLE, "url": "wss://chat.example/socket"}))
    (result,) = replay(tmp_path / "f", no_price)
    assert json.loads(to_json(result))["unsupported"] == "upgraded"


# ------------------------------------------------------------------------------------------------------------- corpus

COUNTERS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "reasoning_output_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "image_input_tokens",
    "image_output_tokens",
    "video_input_tokens",
    "tool_use_input_tokens",
    "audio_seconds",
)
FRAMINGS = {
    "plain": Framing(),
    "random reads": Framing(cuts=random_sizes(3)),
    "compressed, random reads": Framing(extensions="permessage-deflate", cuts=random_sizes(5)),
}


def wrong(expected: dict[str, Any], calls: list[dict[str, Any]]) -> list[str]:
    """What of a session's expected values did not come out; the turns' sum, and turn by turn where they are listed."""
    found: list[str] = []
    total: Counter[str] = Counter()
    for call in calls:
        total.update(call["usage"])
    reported = expected["usage_state"] == "reported"
    if reported != any(call["evidence"] == "reported" for call in calls):
        found.append("evidence")
    found += [name for name in COUNTERS if reported and total[name] != expected["usage"].get(name, 0)]
    for name in ("requested_model", "served_model"):
        if expected[name] is not None and {call[name] for call in calls} != {expected[name]}:
            found.append(name)
    if [name for call in calls for name in call["tool_calls"]] != expected["tool_calls"]:
        found.append("tool_calls")
    extra = [(one["type"], one["usage"]) for call in calls for one in call["extra_usage"]]
    if extra != [(one["type"], one["usage"]) for one in expected["extra_usage"]]:
        found.append("extra_usage")
    turns = {call["response_id"]: call for call in calls}
    for turn in expected["responses"]:
        call = turns.get(turn["response_id"], {"usage": {}, "finish_reason": None})
        if any(call["usage"].get(name, 0) != turn["usage"].get(name, 0) for name in COUNTERS):
            found.append(f"usage of {turn['response_id']}")
        if call["finish_reason"] != turn["status"]:
            found.append(f"status of {turn['response_id']}")
    return found


def scored(framing: Framing) -> dict[str, list[str]]:
    """What is wrong with each recorded session that is not marked unsure."""
    with gzip.open(SESSIONS, "rt", encoding="utf-8") as file:
        sessions = [json.loads(line) for line in file]
    calls: dict[str, list[dict[str, Any]]] = {}
    for result in replay(SESSIONS, no_price, framing):
        calls.setdefault(result.id, []).append(json.loads(to_json(result)))
    certain = [one for one in sessions if not any(note.startswith("unsure:") for note in one["expected"]["notes"])]
    return {one["id"]: wrong(one["expected"], calls[one["id"]]) for one in certain}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS.keys())
class TestCorpus:
    pytestmark = needs_corpus

    def test_every_recorded_session_is_read_exactly(self, framing: Framing) -> None:
        """Turns, models, all kinds of tokens, tool calls and transcriptions, for all that is not marked unsure."""
        found = scored(framing)
        assert found
        assert found == {name: [] for name in found}
