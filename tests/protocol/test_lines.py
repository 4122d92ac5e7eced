"""JSON lines: as they become complete, however the text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ProtocolError, StreamItem
from agent.protocol.lines import MAX_LINE_BYTES, LinesParser
from tests.protocol.cuts import all_ways, growth

STREAM = b'{"a": 1}\n\r\n{"b": "\\n"}\r\n  {"c": 3}\n{"last": "without end"}'
LINES = [b'{"a": 1}', b'{"b": "\\n"}', b'{"c": 3}', b'{"last": "without end"}']


def parse(parts: list[bytes]) -> list[bytes]:
    parser = LinesParser()
    return [item.data for part in parts for item in parser.receive(part)] + [item.data for item in parser.close()]


def test_splitting_never_changes_the_lines() -> None:
    """LF, CR LF, blank lines, a last line without end."""
    for parts in all_ways(STREAM):
        assert parse(parts) == LINES, [len(part) for part in parts]


def test_lines_come_before_the_stream_ends() -> None:
    """A stream is read while it is written."""
    parser = LinesParser()
    assert parser.receive(b"{}\n{") == [StreamItem("", b"{}")]
    assert parser.buffered_bytes == 1


def test_a_gap_costs_the_line_it_falls_into() -> None:
    """Reading goes on behind the next line end."""
    parser = LinesParser()
    assert parser.receive(b'{"a": ') == []
    parser.gap()
    assert parser.receive(b"1") == []
    assert parser.receive(b'}\n{"b": 2}\n') == [StreamItem("", b'{"b": 2}')]
    parser.gap()
    assert parser.receive(b"1}") == []
    assert parser.close() == []


def test_an_endless_line_is_refused() -> None:
    """Bounded memory."""
    parser = LinesParser()
    with pytest.raises(ProtocolError, match="longer than"):
        for _ in range(MAX_LINE_BYTES // 65536 + 2):
            parser.receive(b"x" * 65536)


def test_a_long_line_in_small_reads_is_looked_at_once() -> None:
    """Time grows with size, not with its square."""

    def feed(size: int) -> None:
        parser = LinesParser()
        for _ in range(size):
            parser.receive(b"xxxx")

    assert growth(feed, small=20_000) < 24


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_in_two_parts_are_as_in_one(data: bytes, cut: int) -> None:
    """Garbage included."""
    assert parse([data[:cut], data[cut:]]) == parse([data])


def test_after_a_gap_only_one_line_is_missing() -> None:
    """However many reads come after it; nothing of the line that it fell into is held."""
    parser = LinesParser()
    parser.receive(b"begun")
    parser.gap()
    assert parser.buffered_bytes == 0
    assert parser.receive(b"rest\n") == []
    assert parser.receive(b"1\n2\n") == [StreamItem("", b"1"), StreamItem("", b"2")]
