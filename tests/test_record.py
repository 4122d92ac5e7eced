"""Recording: a connection goes on the tape once it is judged ours, with its first bytes; others never do."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.capture.tape import TapeWriter, read_tape
from agent.model import Chunk, Closed, ConnId, Direction, Judgement, Process
from agent.record import Recorder
from tests.exchanges import request, response

OURS, OTHER = ConnId(pid=1, pointer=1, born_ns=1), ConnId(pid=2, pointer=2, born_ns=2)


def chunk(conn: ConnId, direction: Direction, data: bytes, position: int = 0) -> Chunk:
    return Chunk(conn=conn, direction=direction, position=position, data=data, at_ns=1, last_at_ns=1, cgroup_id=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape"


def test_a_watched_connection_is_on_the_tape_from_its_first_byte(path: Path) -> None:
    """Also what came before the verdict."""
    first, rest = request()[:5], request()[5:]
    with TapeWriter(path, content=True, max_bytes=10**6) as tape:
        recorder = Recorder(tape)
        recorder.process(Process(pid=1, start_ticks=1, name="p", cgroup_id=1, cgroup_path=""))
        assert recorder.take(chunk(OURS, Direction.SENT, first)) == []
        (verdict,) = recorder.take(chunk(OURS, Direction.SENT, rest, 5))
        recorder.take(chunk(OURS, Direction.RECEIVED, response()))
        recorder.take(Closed(conn=OURS, at_ns=9))
    assert verdict.judgement is Judgement.WATCH
    records = list(read_tape(path))
    assert [type(record).__name__ for record in records] == ["Process", "Chunk", "Chunk", "Chunk", "Closed"]
    assert [record.data for record in records if isinstance(record, Chunk)] == [first, rest, response()]


def test_a_host_of_the_configuration_is_ours(path: Path) -> None:
    """A gateway with paths of its own, named in ``providers.extra_hosts``: a tape holds what the agent would read."""
    asked = request("/ask", "llm.example.com")
    for extra, kept in (({"llm.example.com": "openai"}, 1), (None, 0)):
        with TapeWriter(path, content=True, max_bytes=10**6) as tape:
            verdicts = Recorder(tape, extra).take(chunk(OURS, Direction.SENT, asked))
        assert len(list(read_tape(path))) == len(verdicts) == kept
        path.unlink()


def test_what_is_not_ours_never_goes_on_the_tape(path: Path) -> None:
    """Not even when content is asked for: it is somebody else's."""
    with TapeWriter(path, content=True, max_bytes=10**6) as tape:
        recorder = Recorder(tape)
        (verdict,) = recorder.take(chunk(OTHER, Direction.RECEIVED, request()))
        recorder.take(chunk(OTHER, Direction.SENT, b"secret of a server"))
        recorder.take(Closed(conn=OTHER, at_ns=9))
    assert verdict.judgement is Judgement.IGNORE
    assert list(read_tape(path)) == []


def test_a_full_tape_ends_the_recording(path: Path) -> None:
    """Nothing is written behind the limit."""
    with TapeWriter(path, content=True, max_bytes=300) as tape:
        recorder = Recorder(tape)
        recorder.take(chunk(OURS, Direction.SENT, request()))
        recorder.take(chunk(OURS, Direction.RECEIVED, response()))
        assert recorder.full
        size = tape.size_bytes
        recorder.take(chunk(OURS, Direction.SENT, request(), len(request())))
        assert tape.size_bytes == size
