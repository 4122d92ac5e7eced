"""Incremental JSON arrays: elements as they become complete, however the text is cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import ProtocolError, StreamItem
from agent.protocol.json_array import MAX_ELEMENT_BYTES, JsonArrayParser
from tests.protocol.cuts import all_ways, growth

VALUES = [{"a": [1, {"b": "]}"}]}, {"text": 'quote " and \\ back\\\\slash {['}, {"empty": {}}]
STREAM = ("[" + "\n,\r\n".join(json.dumps(value, indent=1) for value in VALUES) + "\n]").encode()


def parse(parts: list[bytes]) -> list[object]:
    parser = JsonArrayParser()
    return [json.loads(item.data) for part in parts for item in parser.receive(part)]


def test_splitting_never_changes_the_elements() -> None:
    """Strings with brackets and escaped quotes, cut anywhere."""
    for parts in all_ways(STREAM):
        assert parse(parts) == VALUES, [len(part) for part in parts]


def test_elements_come_before_the_array_ends() -> None:
    """A stream is read while it is written."""
    parser = JsonArrayParser()
    assert [json.loads(item.data) for item in parser.receive(b'[{"a": 1}\n,')] == [{"a": 1}]


def test_after_a_gap_nothing_is_invented() -> None:
    """The nesting is unknown: no element is given."""
    parser = JsonArrayParser()
    parser.receive(b'[{"a": ')
    parser.gap()
    assert parser.receive(b'1}, {"b": 2}]') == []


def test_an_endless_element_is_refused() -> None:
    """Bounded memory."""
    parser = JsonArrayParser()
    with pytest.raises(ProtocolError, match="longer than"):
        parser.receive(b'[{"a": "')
        for _ in range(MAX_ELEMENT_BYTES // 65536 + 2):
            parser.receive(b"x" * 65536)


@given(st.lists(st.binary(max_size=30)))
def test_garbage_raises_nothing_else(parts: list[bytes]) -> None:
    """Items or ProtocolError."""
    parser = JsonArrayParser()
    try:
        for part in parts:
            parser.receive(part)
    except ProtocolError:
        pass


_TEXT = st.text(alphabet='ab"\\[]{},: ', max_size=8)
_VALUES = st.one_of(st.integers(), _TEXT, st.lists(_TEXT, max_size=2), st.dictionaries(_TEXT, _TEXT, max_size=2))


@given(st.lists(st.dictionaries(_TEXT, _VALUES, max_size=3), max_size=4), st.data())
def test_any_array_of_objects_comes_back(values: list[dict[str, object]], data: st.DataObject) -> None:
    """Whatever the elements hold."""
    text = json.dumps(values).encode()
    cut = data.draw(st.integers(0, len(text)))
    assert parse([text[:cut], text[cut:]]) == values


def test_a_large_element_in_tiny_reads_costs_what_its_bytes_cost() -> None:
    """Each byte is looked at once, inside and outside strings."""

    def work(size: int) -> None:
        parser = JsonArrayParser()
        parser.receive(b'[{"a": "')
        for _ in range(size):
            parser.receive(b"x")
        parser.receive(b'", "b": [')
        for _ in range(size):
            parser.receive(b"1")

    assert growth(work) < 25


def test_every_cut_in_a_string_of_backslashes() -> None:
    """An escape can be cut in two, also twice in a row."""
    text = json.dumps([{"\\": '\\"\\\\"', "x": "\\" * 5}, {"y": '"'}]).encode()
    for parts in all_ways(text):
        assert parse(parts) == json.loads(text)


@pytest.mark.parametrize("data", [b'[{"a":1}] [{"b":2}]', b'[{"a":1}]]]{"b":2}', b'[{"a":1},2,"x",null]{{'])
def test_the_array_s_end_is_the_end(data: bytes) -> None:
    """What follows is not part of it, and scalars are not elements."""
    for parts in all_ways(data):
        assert parse(parts) == [{"a": 1}]


def test_what_waits_is_counted_and_is_no_element() -> None:
    """An element that was not finished is none."""
    parser = JsonArrayParser()
    assert parser.receive(b'[{"a":1}, {"b"') == [StreamItem("", b'{"a":1}')]
    assert parser.buffered_bytes == len(b'{"b"')
    assert parser.close() == []
