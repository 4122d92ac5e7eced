"""Protocol buffers without their definition: numbers, texts and messages by field, and anything at all without an error."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from agent.dialects.protobuf import Message

# https://protobuf.dev/programming-guides/encoding/: 150 in field 1; "testing" in field 2; a message with 150 in field 3; packed 3, 270, 86942 in 6.
SAMPLE = bytes.fromhex("089601 120774657374696e67 1a03089601 3206038e029ea705")


def test_the_samples_of_the_specification() -> None:
    """Each by the number of its field."""
    message = Message(SAMPLE)
    assert message.number(1) == 150
    assert message.text(2) == "testing"
    assert message.message(3).number(1) == 150
    assert message.numbers(6) == [3, 270, 86942]


def test_what_is_absent_is_nothing() -> None:
    """Of whatever kind."""
    message = Message(b"")
    assert not message
    assert (message.number(1), message.text(1), message.numbers(1), message.messages(1)) == (None, "", [], [])
    assert not message.message(1)


def test_the_last_of_several_counts() -> None:
    """And repeated ones are all there."""
    message = Message(bytes.fromhex("0801 0802 120161 120162"))
    assert (message.number(1), message.numbers(1)) == (2, [1, 2])
    assert (message.text(2), message.texts(2)) == ("b", ["a", "b"])


def test_other_fields_are_passed_over() -> None:
    """Fixed 32 and 64 bits."""
    assert Message(bytes.fromhex("0d01020304 110102030405060708 2007")).number(4) == 7


def test_a_cut_message_is_read_as_far_as_it_goes() -> None:
    """At every byte."""
    for cut in range(len(SAMPLE)):
        message = Message(SAMPLE[:cut])
        assert message.number(1) in (None, 150)
        assert message.text(2) in ("", "testing")


@given(st.binary(max_size=300))
def test_anything_at_all(data: bytes) -> None:
    """No error, whatever is asked of it."""
    message = Message(data)
    for field in range(20):
        message.number(field)
        message.numbers(field)
        message.text(field)
        message.texts(field)
        for inner in message.messages(field):
            assert inner.number(1) is None or inner.number(1) >= 0  # type: ignore[operator]


def test_many_fields_are_bounded() -> None:
    """A message made to cost us an entry for every two bytes."""
    assert len(Message(b"\x08\x01" * 100_000).numbers(1)) == 4096


def test_numbers_end_where_the_specification_ends_them() -> None:
    """128 needs a second byte; -1 has ten; eleven are no number, and what follows is not read."""
    assert Message(bytes.fromhex("088001 1007")).number(1) == 128
    negative = Message(b"\x08" + b"\xff" * 9 + b"\x01" + b"\x10\x07")
    assert (negative.number(1), negative.number(2)) == (2**64 - 1, 7)
    assert not Message(b"\x08" + b"\x80" * 10 + b"\x01" + b"\x10\x07")


def test_packed_numbers_are_bounded() -> None:
    """In one field, and in many: a message of megabytes must not become a list of all its bytes."""
    one = b"\x0a\xa0\x8d\x06" + b"\x01" * 100_000
    assert len(Message(one).numbers(1)) == 4096
    begun = tracemalloc.is_tracing()
    many = Message((b"\x0a\xac\x02" + b"\x7f" * 300) * 4096)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    assert len(many.numbers(1)) == 4096
    assert tracemalloc.get_traced_memory()[1] - before < 1024**2
    if not begun:
        tracemalloc.stop()
