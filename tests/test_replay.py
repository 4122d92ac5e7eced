"""Replay: files through the whole core; framing never matters; what can't be replayed is told in one sentence."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.capture.tape import TapeWriter
from agent.host.tokenizer import chosen
from agent.model import Call, Chunk, Direction, Unpriced
from agent.replay import ReplayError, replay, to_json
from agent.replay_exchange import Framing
from tests.corpus import EXCHANGES, FOLDER, needs_corpus
from tests.dialects.framings import MATRIX
from tests.exchanges import CHAT_ANSWER, CONN, request, response


def no_price(_: Call) -> Unpriced:
    return Unpriced(reason="unknown_model")


def lines(path: Path, framing: Framing | None = None) -> list[dict[str, object]]:
    return [json.loads(to_json(result)) for result in replay(path, no_price, framing)]


def exchange(url: str = "https://api.openai.com/v1/chat/completions", answer: object = None) -> str:
    def b64(value: object) -> str:
        return base64.b64encode(json.dumps(value).encode()).decode()

    return json.dumps(
        {
            "id": "x#0",
            "request": {
                "method": "POST",
                "url": url,
                "headers": [["content-length", "999"]],
                "body_b64": b64({"model": "m"}),
            },
            "response": {
                "status": 200,
                "headers": [["Content-Encoding", "br"]],
                "body_b64": b64(answer or CHAT_ANSWER),
            },
        }
    )


def test_an_exchange_becomes_a_call_whatever_its_framing_headers_say(tmp_path: Path) -> None:
    """Recorded framing need not fit the body: it is computed anew."""
    (tmp_path / "e.jsonl").write_text(exchange())
    (line,) = lines(tmp_path / "e.jsonl")
    assert line["id"] == "x#0"
    assert line["usage"] == {
        "input_tokens": 100,
        "output_tokens": 20,
        "cache_read_input_tokens": 64,
        "reasoning_output_tokens": 8,
    }
    assert (line["evidence"], line["served_model"], line["unpriced"]) == (
        "reported",
        "gpt-4o-mini-2024-07-18",
        "unknown_model",
    )


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    """Every exchange gives a line."""
    (tmp_path / "e.jsonl").write_text(
        exchange("https://api.openai.com/v1/files") + "\n" + exchange("http://shop/orders")
    )
    assert [line["unsupported"] for line in lines(tmp_path / "e.jsonl")] == ["unknown_api", "unknown_api"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text", b"hello\n"),
        ("json that is no exchange", b'{"id": 1}\n'),
        ("broken json", b'{"id": \n'),
        ("cut gzip", gzip.compress(exchange().encode() * 50)[:200]),
        ("gzip of garbage", gzip.compress(b"garbage")),
        ("no base64", exchange().replace('body_b64": "', 'body_b64": "!').encode()),
        ("a body that is no object", b'{"id": "x", "request": [], "response": 7}'),
        ("an empty file", b""),
        ("an empty gzip", gzip.compress(b"\n\n")),
        ("a cut last line", (exchange() + "\n" + exchange()[:-40]).encode()),
    ],
)
def test_a_file_that_cant_be_replayed_is_told_in_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    """With the file's name, and nothing of its content."""
    path = tmp_path / "f"
    path.write_bytes(content)
    with pytest.raises(ReplayError) as caught:
        lines(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert any(remedy in str(caught.value) for remedy in ("fetch", "give"))


def test_the_line_of_the_damage_is_named_and_what_stands_before_it_comes_out(tmp_path: Path) -> None:
    """A person can look at it, or drop it."""
    (tmp_path / "e.jsonl").write_text(exchange() + "\n" + exchange() + "\n{}\n")
    results = replay(tmp_path / "e.jsonl", no_price)
    assert [next(results).id, next(results).id] == ["x#0", "x#0"]
    with pytest.raises(ReplayError, match=r"line 3: .*KeyError"):
        next(results)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/chat/completions?note=with spaces and ümlauts",
        "https://user:secret@api.openai.com:443/v1/chat/completions",
    ],
)
def test_masked_and_odd_recordings_become_proper_http(tmp_path: Path, url: str) -> None:
    """Names of HTTP/2, masks with line ends, unescaped URLs: the exchange is read all the same."""
    record = json.loads(exchange(url))
    record["request"]["headers"] += [[":authority", "x"], ["x-mask", "a\r\nhost: evil.example"], ["x y", "z"]]
    (tmp_path / "e.jsonl").write_text(json.dumps(record))
    (line,) = lines(tmp_path / "e.jsonl")
    assert (line["provider"], line["evidence"]) == ("openai", "reported")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """No traceback."""
    with pytest.raises(ReplayError, match="can't be read"):
        lines(tmp_path / "none")


def test_a_tape_is_replayed_to_the_same_calls(tmp_path: Path) -> None:
    """Also when it ends in the middle of a connection."""
    with TapeWriter(tmp_path / "t", content=True, max_bytes=10**6) as tape:
        for direction, data in ((Direction.SENT, request()), (Direction.RECEIVED, response())):
            tape.write(Chunk(conn=CONN, direction=direction, position=0, data=data, at_ns=1, last_at_ns=1, cgroup_id=1))
        tape.write(
            Chunk(
                conn=CONN,
                direction=Direction.SENT,
                position=len(request()),
                data=request(),
                at_ns=2,
                last_at_ns=2,
                cgroup_id=1,
            )
        )
    assert [(line["evidence"], line["status"]) for line in lines(tmp_path / "t")] == [("reported", 200), ("absent", 0)]


def test_the_command_prints_json_lines_and_fails_with_a_sentence(tmp_path: Path) -> None:
    """As a person types it."""
    (tmp_path / "e.jsonl").write_text(exchange())
    command = [sys.executable, "-c", "from agent.cli import main; main()", "replay"]
    good = subprocess.run([*command, tmp_path / "e.jsonl", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(good.stdout)["id"] == "x#0"
    bad = subprocess.run([*command, tmp_path / "none"], capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert bad.stderr.startswith("podtab: ")
    assert bad.stderr.count("\n") == 1
    assert bad.stdout == "", "a table without rows"


# ------------------------------------------------------------------------------------------------------------- corpus


FRAMINGS = {
    " ".join(name): MATRIX[name]
    for name in (
        ("as recorded", "plain"),
        ("as recorded", "random reads"),
        ("as recorded", "chunked, random reads"),
        ("gzip", "chunked, random reads"),
        ("br", "random reads"),
        ("zstd", "chunked, random reads"),
        ("as recorded", "HTTP/2"),
        ("br", "HTTP/2, odd frames"),
    )
}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS.keys())
class TestCorpus:
    pytestmark = needs_corpus

    def test_every_recorded_exchange_is_read_exactly(self, framing: Framing, tmp_path: Path) -> None:
        """Models, all kinds of tokens, status, tool calls: as expected for every exchange that is not marked unsure, however framed, estimates beside."""
        output = tmp_path / "calls.jsonl"
        results = replay(EXCHANGES, no_price, framing, chosen())
        output.write_bytes(b"".join(to_json(result) + b"\n" for result in results))
        with output.open("rb") as calls:
            scored = subprocess.run(
                [sys.executable, FOLDER / "score.py", EXCHANGES],
                stdin=calls,
                capture_output=True,
                text=True,
                check=False,
            )
        assert scored.returncode == 0, scored.stdout
