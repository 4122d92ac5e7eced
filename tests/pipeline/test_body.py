"""Bodies on their way to a dialect: coding undone, kind by the first bytes, bounded."""

from __future__ import annotations

import gzip
import json
import random
import zlib

import pytest

from agent.pipeline.body import MAX_REQUEST_BYTES, Collector, Kind, RequestBody, ResponseBody
from tests.protocol.cuts import all_ways

EVENTS = b'data: {"a": 1}\n\ndata: [DONE]\n\n'


def read(parts: list[bytes], coding: str = "", *, arrays: bool = False) -> tuple[Kind, list[bytes], bytes]:
    body = ResponseBody(coding, arrays_are_streams=arrays)
    items = [item.data for part in parts for item in body.receive(part)]
    items += [item.data for item in body.close()]
    return body.kind, items, body.document.take()


def request(parts: list[bytes], coding: str = "") -> tuple[bytes, bool]:
    body = RequestBody(coding)
    for part in parts:
        body.receive(part)
    return body.close()


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


def test_nothing_is_read_across_a_hole() -> None:
    """What stands on both sides of it can look like one value: the document has a zero byte there, which no JSON has."""
    body = ResponseBody("", arrays_are_streams=False)
    list(body.receive(b'{"usage": {"in": 10, "cached'))
    body.gap()
    list(body.receive(b'_write": 3}}'))
    list(body.close())
    assert body.document.take() == b'{"usage": {"in": 10, "cached\0_write": 3}}'


def test_nothing_is_read_across_a_hole_in_a_large_body() -> None:
    """The same where pictures are left out of it."""
    body = ResponseBody("", arrays_are_streams=False)
    list(body.receive(b'{"text": "' + b"so much to say, " * 8192 + b'", "usage": {"in": 10, "cached'))
    body.gap()
    list(body.receive(b'_write": 3}}'))
    list(body.close())
    assert body.document.take().endswith(b'{"in": 10, "cached\0_write": 3}}')


def test_a_stream_with_a_hole_stays_one_to_its_end() -> None:
    """Whatever its parser has to say of it: what was counted is a lower bound then."""
    body = ResponseBody("", arrays_are_streams=False)
    list(body.receive(EVENTS[:20]))
    body.gap()
    list(body.receive(EVENTS))
    list(body.close())
    assert body.kind is Kind.EVENTS
    assert body.lost


def test_an_event_under_way_counts_as_memory() -> None:
    """Or many streams of half an event each would pass the budget by."""
    body = ResponseBody("", arrays_are_streams=False)
    list(body.receive(b"data: " + b"x" * 100_000))
    assert body.buffered_bytes >= 100_000


def test_an_array_is_a_stream_where_the_dialect_says_so() -> None:
    """Gemini without alt=sse."""
    assert read([b'[{"a": 1},\n{"b": 2}]'], arrays=True)[:2] == (Kind.ARRAY, [b'{"a": 1}', b'{"b": 2}'])


def test_a_coded_stream_is_read_as_it_comes() -> None:
    """gzip'd event streams exist."""
    assert read([gzip.compress(EVENTS)], "gzip")[:2] == (Kind.EVENTS, [b'{"a": 1}', b"[DONE]"])
    assert request([gzip.compress(b"{}")], "gzip") == (b"{}", True)


def test_what_stands_before_a_damage_is_kept() -> None:
    """A request whose tail was lost still names its model."""
    noise = random.Random(7).randbytes(200_000)
    coded = gzip.compress(noise)
    body, whole = request([coded[:100_000], b"\0" * 1000, coded[101_000:]], "gzip")
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


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_request_of_64_megabytes_of_pictures_is_read(coding: str) -> None:
    """Its model comes last, its pictures are left out, and it never takes more than the text in it."""
    pieces = [b'{"messages":[{"text":"What is that?","image":"', *[b"QUJD" * 4096] * 4096, b'"}],"model":"gpt-5"}']
    assert sum(map(len, pieces)) > 64 * 1024**2
    deflate = zlib.compressobj(level=1, wbits=31)
    body = RequestBody(coding)
    most = 0
    for piece in pieces:
        # Text that compresses a thousandfold would be refused as a bomb: stored, as pictures nearly are.
        body.receive(deflate.compress(piece) + deflate.flush(zlib.Z_FULL_FLUSH) if coding else piece)
        most = max(most, body.buffered_bytes)
    text, whole = body.close()
    assert whole
    assert json.loads(text)["model"] == "gpt-5"
    assert json.loads(text)["messages"][0]["text"] == "What is that?"
    assert most < 128 * 1024


def test_a_large_request_of_text_is_kept_as_it_is() -> None:
    """Nothing in it is a picture."""
    text = json.dumps({"messages": ["Tell me. " * 400_000], "model": "gpt-5"}).encode()
    assert request([text[at : at + 16_384] for at in range(0, len(text), 16_384)]) == (text, True)


def test_more_text_than_a_model_takes_is_cut_and_said_to_be() -> None:
    """The limit counts what is kept."""
    body, whole = request([b'{"input":"', *[b"so much to say, " * 1024] * 600])
    assert (len(body), whole) == (MAX_REQUEST_BYTES, False)


def test_embeddings_of_a_large_batch_leave_their_usage() -> None:
    """32 MB of vectors are not needed to read one line behind them."""
    vectors = ",".join(json.dumps({"object": "embedding", "embedding": [0.0123456789] * 1536}) for _ in range(1600))
    answer = ('{"data":[' + vectors + '],"model":"e","usage":{"prompt_tokens":9}}').encode()
    assert len(answer) > 32 * 1024**2
    body = ResponseBody("", arrays_are_streams=False)
    for at in range(0, len(answer), 16_384):
        assert not list(body.receive(answer[at : at + 16_384]))
    assert not list(body.close())
    document = json.loads(body.document.take())
    assert not body.document.cut
    assert (len(document["data"]), document["usage"]) == (1600, {"prompt_tokens": 9})
