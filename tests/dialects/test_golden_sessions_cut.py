"""Golden sessions cut, and with holes: what is told as reported is what the provider said, and what is missing shows."""

from __future__ import annotations

import json
import random
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from agent.model import Call, Direction, Evidence, Outcome, Quarantined, Verdict
from agent.replay_session import session_bytes
from tests.dialects.test_golden_sessions import SESSIONS, session
from tests.exchanges import Wire

EXTENSIONS = {
    "plain": "",
    "compressed": "permessage-deflate",
    "one by one": "permessage-deflate; server_no_context_takeover",
}
ROUNDS = 12


def said(path: Path, extensions: str) -> list[tuple[Direction, bytes]]:
    recorded = session(json.loads(path.read_text("utf-8")))
    url = urlsplit(str(recorded["url"]))
    return list(session_bytes(recorded, extensions, f"{url.path}?{url.query}" if url.query else url.path))


def play(pieces: list[tuple[Direction, bytes]], hole: tuple[int, int] = (0, 0)) -> Wire:
    """The whole connection to its end; the server's bytes from ``hole[0]`` to ``hole[1]`` are missing."""
    wire, at = Wire(), 0
    for direction, data in pieces:
        if direction is Direction.SENT:
            wire.send(data)
            continue
        start, end = (min(max(edge - at, 0), len(data)) for edge in hole)
        at += len(data)
        if data[:start]:
            wire.receive(data[:start])
        wire.lose(Direction.RECEIVED, end - start)
        if data[end:]:
            wire.receive(data[end:])
    return wire.close()


def reported(calls: list[Call]) -> list[tuple[object, ...]]:
    return [
        (call.reading.response_id, call.reading.usage) for call in calls if call.reading.evidence is Evidence.REPORTED
    ]


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_cut_session_reports_only_what_was_said(path: Path) -> None:
    """At every tenth of its bytes: turns that were whole by then, and the rest as cut."""
    pieces = said(path, "")
    whole = reported(play(pieces).calls)
    total = sum(len(data) for _, data in pieces)
    for tenth in range(1, 10):
        room, part = total * tenth // 10, []
        for direction, data in pieces:
            part.append((direction, data[:room]))
            room -= min(room, len(data))
        found = reported(play([(direction, data) for direction, data in part if data]).calls)
        assert found == whole[: len(found)], tenth


@pytest.mark.parametrize("extensions", EXTENSIONS.values(), ids=EXTENSIONS.keys())
@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_missing_shows(path: Path, extensions: str) -> None:
    """Holes anywhere in what the server says, but for its last byte, which shows the hole: no figure is made up, and no turn goes without a sign."""
    pieces = said(path, extensions)
    whole = play(pieces).calls
    heads = next(len(data) for direction, data in pieces if direction is Direction.RECEIVED)
    total = sum(len(data) for direction, data in pieces if direction is Direction.RECEIVED)
    chance = random.Random(path.stem)
    for _ in range(ROUNDS):
        start = chance.randrange(heads, total - 1)
        wire = play(pieces, (start, min(total - 1, start + chance.choice((1, 20, 300, 3000)))))
        found = reported(wire.calls)
        assert [one for one in found if one not in reported(whole)] == [], start
        signs = [call for call in wire.calls if call.lost_bytes or call.outcome is Outcome.CUT]
        signs += [output for output in wire.outputs if isinstance(output, Quarantined)]  # type: ignore[misc]
        signs += [output for output in wire.outputs if isinstance(output, Verdict) and output.reason == "session_lost"]  # type: ignore[misc]
        assert len(found) == len(reported(whole)) or signs, start
