"""Bodies on their way to a dialect: coding undone, kind by the first bytes, bounded."""

from __future__ import annotations

import gzip
import random

import pytest

from agent.pipeline.body import Collector, Kind, ResponseBody, decoded
from tests.protocol.cuts import all_ways

EVENTS = b'data: {"a": 1}\n\ndata: [DONE]\n\n'


def read(parts: list[bytes], coding: str = "", *, arrays: bool = False) -> tuple[Kind, list[bytes], bytes]:
    body = ResponseBody(coding, arrays_are_streams=arrays)
    items = [item.data for part in parts for item in body.receive(part)]
    items += [item.data for item in body.close()]
    return body.kind, items, body.document.take()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (EVENTS, Kind.EVENTS),
        (b": comment\n\n" + EVENTS, Kind.EVENTS),
        (b"\xef\xbb\xbfevent: x\ndata: 1\n\n", Kind.EVENTS),
        (b'{"usage": {}}', Kind.DOCUMENT),
        (b"[1, 2]", Kind.DOCUMENT),
        (b"error code: 502", Kind.DOCUMENT),
        (b"", Kind.DOCUMENT),
        (b"{}", Kind.DOCUMENT),
    ],
)
def test_the_kind_is_found_by_the_first_bytes(data: bytes, kind: Kind) -> None:
    """Whatever the content type says, and however the body is cut."""
    for parts in all_ways(data):
        found, items, document = read(parts)
        assert found is kind, [len(part) for part in parts]
        assert (document == data) == (kind is Kind.DOCUMENT)
        assert bool(items) == (kind is Kind.EVENTS)


def test_an_array_is_a_stream_where_the_dialect_says_so() -> None:
    """Gemini without alt=sse."""
    assert read([b'[{"a": 1},\n{"b": 2}]'], arrays=True)[:2] == (Kind.ARRAY, [b'{"a": 1}', b'{"b": 2}'])


def test_a_coded_stream_is_read_as_it_comes() -> None:
    """gzip'd event streams exist."""
    assert read([gzip.compress(EVENTS)], "gzip")[:2] == (Kind.EVENTS, [b'{"a": 1}', b"[DONE]"])
    assert decoded(gzip.compress(b"{}"), "gzip") == (b"{}", True)


def test_what_stands_before_a_damage_is_kept() -> None:
    """A request whose tail was lost still names its model."""
    noise = random.Random(7).randbytes(200_000)
    coded = gzip.compress(noise)
    body, whole = decoded(coded[:100_000] + b"\0" * 1000 + coded[101_000:], "gzip")
    assert not whole
    assert noise.startswith(body[:50_000])
    assert len(body) > 50_000


def test_a_gap_under_a_coding_ends_what_can_be_read() -> None:
    """What came before stands; the rest is broken, not guessed."""
    coded = gzip.compress(EVENTS * 50)
    body = ResponseBody("gzip", arrays_are_streams=False)
    list(body.receive(coded[:40]))
    body.gap()
    assert list(body.receive(coded[60:])) == []
    assert body.broken


def test_a_collector_keeps_the_beginning() -> None:
    """And says that it is not all."""
    collector = Collector(5)
    for part in (b"abc", b"def", b"ghi"):
        collector.add(part)
    assert (collector.cut, collector.size, collector.take(), collector.size) == (True, 5, b"abcde", 0)
