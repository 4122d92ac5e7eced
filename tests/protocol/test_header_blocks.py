"""Header blocks: the standard's own vectors, and what a reader knows who came late."""

from __future__ import annotations

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ProtocolError
from agent.protocol.header_blocks import MAX_LIST_BYTES, MAX_TABLE_BYTES, HeaderBlocks

DATE = "date: Mon, 21 Oct 2013 20:13:21 GMT"
LATER = "date: Mon, 21 Oct 2013 20:13:22 GMT"
LOCATION = "location: https://www.example.com"
COOKIE = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
GET = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
SECURE = [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com"]
REQUESTS = [GET, [*GET, "cache-control: no-cache"], [*SECURE, "custom-key: custom-value"]]
RESPONSES = [
    [":status: 302", "cache-control: private", DATE, LOCATION],
    [":status: 307", "cache-control: private", DATE, LOCATION],
    [":status: 200", "cache-control: private", LATER, LOCATION, "content-encoding: gzip", COOKIE],
]
# RFC 7541, appendix C.  Those of C.5 and C.6 assume a table of 256 bytes, which is said first.
SMALL = "3fe101"
VECTORS = {
    "C.2.1": (["400a637573746f6d2d6b65790d637573746f6d2d686561646572"], [["custom-key: custom-header"]]),
    "C.2.2": (["040c2f73616d706c652f70617468"], [[":path: /sample/path"]]),
    "C.2.3": (["100870617373776f726406736563726574"], [["password: secret"]]),
    "C.2.4": (["82"], [[":method: GET"]]),
    "C.3": (
        [
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ],
        REQUESTS,
    ),
    "C.4": (
        [
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ],
        REQUESTS,
    ),
    "C.5": (
        [
            SMALL
            + "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
            "4803333037c1c0bf",
            "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
        ],
        RESPONSES,
    ),
    "C.6": (
        [
            SMALL
            + "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            "4883640effc1c0bf",
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ],
        RESPONSES,
    ),
}


def fields(pairs: list[tuple[bytes, bytes]]) -> list[str]:
    return [f"{name.decode()}: {value.decode()}" for name, value in pairs]


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_the_standard(name: str) -> None:
    """RFC 7541, appendix C: each block of each section, in order."""
    blocks, expected = VECTORS[name]
    reader = HeaderBlocks(whole=True)
    read = [reader.decode(bytes.fromhex(block)) for block in blocks]
    assert [fields(pairs) for pairs, _ in read] == expected
    assert not any(missing for _, missing in read)


def test_a_reader_who_came_late_leaves_out_what_was_said_before() -> None:
    """And knows the static table, literals, and what was added since: by the right number."""
    encoder = Encoder()
    encoder.encode([("x-old", "secret of before"), (":authority", "old.example")])
    second = encoder.encode([(":method", "POST"), ("x-old", "secret of before"), ("x-new", "1")])
    third = encoder.encode([("x-new", "1"), (":authority", "old.example"), ("x-newer", "2"), ("x-new", "1")])
    late = HeaderBlocks(whole=False)
    assert late.decode(second) == ([(b":method", b"POST"), (b"x-new", b"1")], True)
    assert late.decode(third) == ([(b"x-new", b"1"), (b"x-newer", b"2"), (b"x-new", b"1")], True)


def test_a_name_of_before_makes_a_hole_that_counts() -> None:
    """A new value under an old name can't be named, and what is added around it keeps its number."""
    encoder = Encoder()
    encoder.encode([("x-trace", "1")])
    second = encoder.encode([("x-a", "1"), ("x-trace", "2"), ("x-b", "1")])
    third = encoder.encode([("x-b", "1"), ("x-trace", "2"), ("x-a", "1")])
    late = HeaderBlocks(whole=False)
    assert late.decode(second) == ([(b"x-a", b"1"), (b"x-b", b"1")], True)
    assert late.decode(third) == ([(b"x-b", b"1"), (b"x-a", b"1")], True)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["1", "2", "x" * 900])), min_size=4), st.data())
def test_who_came_late_never_reads_anything_else(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    """Whatever was said, wherever we join, whatever the table's size: what is read is what was said, perhaps less."""
    encoder = Encoder()
    if data.draw(st.booleans()):
        encoder.header_table_size = data.draw(st.sampled_from([0, 100, 1500, 40_000, 200_000]))
    join = data.draw(st.integers(0, len(pairs)))
    late, whole = HeaderBlocks(whole=False), HeaderBlocks(whole=True)
    for number, (name, value) in enumerate(pairs):
        block = encoder.encode([(name, value)])
        said = [(name.encode(), value.encode())]
        assert whole.decode(block) == (said, False)
        if number >= join:
            read, missing = late.decode(block)
            assert read == said if not missing else read == []
        if data.draw(st.integers(0, 9)) == 0:
            late.forget()


def test_a_block_of_ones_is_refused_at_once() -> None:
    """An integer without end would be added up for minutes."""
    for start in (b"\xff", b"\x7f", b"\x3f"):
        with pytest.raises(ProtocolError, match="endless"):
            HeaderBlocks(whole=False).decode(start + b"\xff" * 60_000 + b"\x01")


def test_a_place_that_no_table_has_is_refused_by_who_came_late_too() -> None:
    """It is no header block then, whatever was said before."""
    with pytest.raises(ProtocolError):
        HeaderBlocks(whole=False).decode(b"\xff" + b"\x80\x80\x40")


def test_a_bomb_is_refused() -> None:
    """One entry of 4 KB, named a thousand times by one byte each."""
    encoder = Encoder()
    reader = HeaderBlocks(whole=True)
    reader.decode(encoder.encode([("x", "y" * 4000)]))
    with pytest.raises(ProtocolError, match="OversizedHeaderListError"):
        reader.decode(b"\xbe" * (MAX_LIST_BYTES // 4000 + 1))


def test_a_table_is_no_larger_than_our_bound() -> None:
    """Whatever its encoder announces; what is older than the bound is left out."""
    encoder = Encoder()
    encoder.header_table_size = 1024 * 1024
    reader = HeaderBlocks(whole=True)
    said = [(f"x-{number}", "v" * 1000) for number in range(200)]
    for pair in said:
        reader.decode(encoder.encode([pair]))
        assert reader.buffered_bytes <= MAX_TABLE_BYTES
    assert reader.decode(encoder.encode([said[0]])) == ([], True)
    assert reader.decode(encoder.encode([said[-1]])) == ([(b"x-199", b"v" * 1000)], False)


@pytest.mark.parametrize("block", ["80", "ff8001", "c0", "7f", "400a", "0085ffffffffff"])
def test_nonsense_is_an_error_to_who_saw_everything(block: str) -> None:
    """Index 0, indexes of no entry, cut strings, Huffman that is none."""
    with pytest.raises(ProtocolError):
        HeaderBlocks(whole=True).decode(bytes.fromhex(block))


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_fields_or_our_error(block: bytes, whole: bool) -> None:
    """Nothing else."""
    try:
        HeaderBlocks(whole=whole).decode(block)
    except ProtocolError:
        pass
