"""SSE: splitting never matters, loss costs the event it falls into, and nothing grows without bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ProtocolError, StreamItem
from agent.protocol.sse import MAX_EVENT_BYTES, SseParser
from tests.protocol.cuts import all_ways, growth

LF = b'data: {"a": 1}\n\n: comment\n\nevent: done\ndata: x\ndata: y\n\ndata:no space\nid: 7\nretry: 10\n\ndata: [DONE]\n\n'
ITEMS = [
    StreamItem("", b'{"a": 1}'),
    StreamItem("done", b"x\ny"),
    StreamItem("", b"no space"),
    StreamItem("", b"[DONE]"),
]
VARIANTS = {
    "LF": LF,
    "CRLF": LF.replace(b"\n", b"\r\n"),
    "CR": LF.replace(b"\n", b"\r"),
    "BOM": b"\xef\xbb\xbf" + LF,
    "blank lines in front": b"\n\n" + LF,
    "more blank lines": LF.replace(b"\n\n", b"\n\n\n\n"),
}


def parse(parts: list[bytes]) -> list[StreamItem]:
    parser = SseParser()
    return [item for part in parts for item in parser.receive(part)] + parser.close()


@pytest.mark.parametrize("stream", VARIANTS.values(), ids=VARIANTS.keys())
def test_splitting_never_changes_the_items(stream: bytes) -> None:
    """Whole, byte by byte, every cut in two, random cuts: the same items, for every line end."""
    for parts in all_ways(stream):
        assert parse(parts) == ITEMS, [len(part) for part in parts]


def test_the_last_event_may_lack_its_blank_line() -> None:
    """Some servers end the connection right after the last data line."""
    assert parse([b"data: a\n\ndata: b"]) == [StreamItem("", b"a"), StreamItem("", b"b")]


def test_utf8_split_between_reads_stays_whole() -> None:
    """A character cut in two arrives as it was sent."""
    text = "data: größer\n\n".encode()
    for parts in all_ways(text):
        assert parse(parts) == [StreamItem("", "größer".encode())]


def test_a_gap_costs_the_event_it_falls_into_and_the_one_that_follows_unmarked() -> None:
    """After a gap parsing resumes behind the next blank line; what was complete before stands."""
    parser = SseParser()
    items = parser.receive(b"data: a\n\ndata: b")
    parser.gap()
    items += parser.receive(b"rest of something\n\ndata: c\n\n")
    assert items == [StreamItem("", b"a"), StreamItem("", b"c")]


def test_a_gap_at_the_end_gives_no_half_event() -> None:
    """What was cut is never shown as an event."""
    parser = SseParser()
    parser.receive(b"data: half")
    parser.gap()
    assert parser.close() == []


@pytest.mark.parametrize(
    "filler", [b"data: " + b"x" * 65536, b"data: y\n" * 8192], ids=["endless line", "endless event"]
)
def test_endless_input_is_refused(filler: bytes) -> None:
    """Without a blank line the parser gives up instead of eating memory."""
    parser = SseParser()
    with pytest.raises(ProtocolError, match="longer than"):
        for _ in range(2 * MAX_EVENT_BYTES // len(filler) + 200):
            parser.receive(filler)


def test_a_large_event_in_tiny_reads_costs_what_its_bytes_cost() -> None:
    """A pod that reads byte by byte must not cost the agent the square of it."""

    def work(size: int) -> None:
        parser = SseParser()
        parser.receive(b"data: ")
        for _ in range(size):
            parser.receive(b"x")

    assert growth(work) < 25


def test_what_waits_is_counted() -> None:
    """The budget over all connections adds it up."""
    parser = SseParser()
    parser.receive(b"data: a\n\ndata: half")
    assert parser.buffered_bytes == len(b"data: half")
    parser.gap()
    assert parser.buffered_bytes == 0


def test_the_error_names_no_content() -> None:
    """Messages hold sizes, never payload."""
    parser = SseParser()
    with pytest.raises(ProtocolError) as caught:
        parser.receive(b"data: sk-secret" + b"x" * (MAX_EVENT_BYTES + 1))
    assert "sk-secret" not in str(caught.value)


@given(st.lists(st.binary(max_size=40)))
def test_garbage_gives_items_or_the_parsers_own_error(parts: list[bytes]) -> None:
    """Never another exception."""
    try:
        parse(parts)
    except ProtocolError:
        pass


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), min_size=1),
    st.data(),
)
def test_any_data_comes_back_however_it_is_cut(lines: list[str], data: st.DataObject) -> None:
    """What a server writes as data lines is what comes out."""
    stream = b"".join(b"data: " + line.encode() + b"\n\n" for line in lines)
    cut = data.draw(st.integers(0, len(stream)))
    assert [item.data for item in parse([stream[:cut], stream[cut:]])] == [line.encode() for line in lines]
