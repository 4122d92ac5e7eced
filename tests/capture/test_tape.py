"""Tapes: what goes on comes off; without content nothing of a body or a key does; damage is told, and what stands before it read."""

from __future__ import annotations

import stat
from pathlib import Path

import msgpack
import pytest

from agent.capture.tape import TapeError, TapeWriter, is_tape, masked_head, read_tape
from agent.model import Chunk, Closed, ConnId, Direction, Process

CONN = ConnId(pid=1, pointer=0x7FFF_0000_0000, born_ns=3)
REQUEST = (
    b"POST /v1/chat/completions?key=AIzaSECRET HTTP/1.1\r\nhost: api.openai.com\r\nauthorization: Bearer sk-SECRET\r\n"
    b"content-length: 6\r\n\r\nPROMPT"
)
RECORDS = [
    Process(pid=1, start_ticks=5, name="python3", cgroup_id=9, cgroup_path="/kubepods/x"),
    Chunk(conn=CONN, direction=Direction.SENT, position=0, data=REQUEST, at_ns=1, last_at_ns=2, cgroup_id=9),
    Chunk(
        conn=CONN, direction=Direction.RECEIVED, position=7, data=b"ANSWER", lost=3, at_ns=3, last_at_ns=4, cgroup_id=9
    ),
    Closed(conn=CONN, at_ns=5),
]


def write(path: Path, *, content: bool, max_bytes: int = 1_000_000) -> None:
    with TapeWriter(path, content=content, max_bytes=max_bytes) as tape:
        for record in RECORDS:
            tape.write(record)


def test_what_goes_on_comes_off(tmp_path: Path) -> None:
    """With content, exactly."""
    write(tmp_path / "t", content=True)
    assert is_tape(tmp_path / "t")
    assert list(read_tape(tmp_path / "t")) == RECORDS


def test_without_content_only_lengths_and_allowed_headers_stay(tmp_path: Path) -> None:
    """No prompt, no answer, no key; positions and sizes stay true."""
    write(tmp_path / "t", content=False)
    raw = (tmp_path / "t").read_bytes()
    for secret in (b"PROMPT", b"ANSWER", b"SECRET", b"Bearer"):
        assert secret not in raw
    assert b"api.openai.com" in raw
    for before, after in zip(RECORDS, read_tape(tmp_path / "t"), strict=True):
        if isinstance(before, Chunk):
            assert isinstance(after, Chunk)
            assert (after.position, len(after.data) + after.lost) == (before.position, len(before.data) + before.lost)


def test_a_tape_is_private(tmp_path: Path) -> None:
    """It can hold what people said."""
    write(tmp_path / "t", content=True)
    assert stat.S_IMODE((tmp_path / "t").stat().st_mode) == 0o600


def test_a_full_tape_says_so(tmp_path: Path) -> None:
    """``write`` is False from the record that reaches the limit on."""
    with TapeWriter(tmp_path / "t", content=True, max_bytes=200) as tape:
        assert [tape.write(record) for record in RECORDS[:2]] == [True, False]


def test_a_tape_is_not_written_over(tmp_path: Path) -> None:
    """A second recording needs a name of its own."""
    write(tmp_path / "t", content=True)
    with pytest.raises(TapeError, match="is there already"):
        TapeWriter(tmp_path / "t", content=True, max_bytes=1)


def test_a_cut_tape_gives_what_stands_before_the_cut(tmp_path: Path) -> None:
    """At every byte: whole records come, then one sentence that names the one it ends in; a cut between records can't be seen and needs none."""
    ends = []
    with TapeWriter(tmp_path / "t", content=True, max_bytes=1_000_000) as tape:
        ends.append(tape.size_bytes)
        for record in RECORDS:
            tape.write(record)
            ends.append(tape.size_bytes)
    data = (tmp_path / "t").read_bytes()
    assert len(data) == ends[-1]
    for cut in range(len(data)):
        (tmp_path / "c").write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends) - 1
        seen, said = [], ""
        try:
            for record in read_tape(tmp_path / "c"):
                seen.append(record)  # noqa: PERF402 - what came before the error counts
        except TapeError as error:
            said = str(error)
        assert seen == RECORDS[: max(whole, 0)], cut
        if cut in ends:
            assert said == ""
        else:
            assert said.startswith(f"{tmp_path / 'c'}: ")
            assert (f"ends inside record {whole + 1};" if whole >= 0 else "not a tape") in said, cut


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x81\xa1a\x01", msgpack.packb({"format": "podtab tape", "version": 99}), msgpack.packb([1, 2])],
    ids=["empty", "text", "other map", "newer version", "list"],
)
def test_a_foreign_file_is_named_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    """Never a traceback."""
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(TapeError, match=str(tmp_path / "f")):
        list(read_tape(tmp_path / "f"))


@pytest.mark.parametrize(
    "record", [[9], [0, 1], "x", [0, "a", 2, 3, 0, 0, b"", 0, 1, 1, 1], [0, 1, 2, 3, 7, 0, b"", 0, 1, 1, 1]]
)
def test_a_damaged_record_is_told(tmp_path: Path, record: object) -> None:
    """Wrong kinds, missing fields, wrong types."""
    head = msgpack.packb({"format": "podtab tape", "version": 1, "content": True})
    (tmp_path / "d").write_bytes(head + msgpack.packb(record))
    with pytest.raises(TapeError, match="damaged"):
        list(read_tape(tmp_path / "d"))


def test_a_masked_head_is_as_long_as_the_head() -> None:
    """So that every position behind it stays true."""
    masked = masked_head(REQUEST)
    assert len(masked) == REQUEST.index(b"\r\n\r\n") + 4
    assert masked.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\ncontent-length: 6 ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"binary\r\n\r\n",
        b"GET / HTTP/1.1\r\nx-secret: 1\r\n\r\n",
        b"a b c\r\nhost: x\r\n\r\n",
    ],
)
def test_what_is_no_whole_head_is_all_masked(data: bytes) -> None:
    """In doubt nothing is shown."""
    assert masked_head(data) == b""


def test_an_answers_reason_is_free_text() -> None:
    """Status and allowed headers stay, at their length; what a server says beside the status does not."""
    head = b"HTTP/1.1 429 your key sk-SECRET is used up\r\ncontent-type: text/plain\r\nset-cookie: SECRET\r\n\r\n"
    masked = masked_head(head + b"BODY")
    assert len(masked) == len(head)
    assert masked.startswith(b"HTTP/1.1 429\r\ncontent-type: text/plain")
    assert b"SECRET" not in masked


def test_damage_is_told_by_its_place(tmp_path: Path) -> None:
    """Behind the records that were read."""
    write(tmp_path / "t", content=True)
    with (tmp_path / "t").open("ab") as file:
        file.write(msgpack.packb(["nonsense"]))
    with pytest.raises(TapeError, match=f"damaged after record {len(RECORDS)};"):
        list(read_tape(tmp_path / "t"))


def test_a_map_of_another_format_is_no_tape(tmp_path: Path) -> None:
    """Though it has a version."""
    (tmp_path / "t").write_bytes(msgpack.packb({"format": "else", "version": 1}))
    with pytest.raises(TapeError, match="not a tape"):
        list(read_tape(tmp_path / "t"))
