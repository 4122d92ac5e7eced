"""The fuzz targets without a fuzzer: they run on valid traffic and on noise in every test run, and they see a planted bug."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import ProtocolError, StreamItem
from tests.dialects.test_golden import FILES
from tests.dialects.test_golden_sessions import SESSIONS
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import MAX_HELD_BYTES, TARGETS, cuts, items

SEEDS = [
    *list(seeds(json.loads(path.read_bytes()) for path in FILES))[::7],
    *list(seeds(json.loads(path.read_bytes()) for path in SESSIONS))[::2],
]


@pytest.mark.parametrize("name", TARGETS)
def test_valid_traffic_breaks_no_target(name: str) -> None:
    """Golden exchanges, whole and cut, with and without gaps."""
    for seed in SEEDS:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=600))
def test_noise_breaks_no_target(name: str, data: bytes) -> None:
    """Any bytes at all."""
    TARGETS[name](data)


class Planted:
    """A parser with a bug behind one byte, or one that keeps everything."""

    def __init__(self) -> None:
        self.buffered_bytes = 0

    def receive(self, data: bytes) -> list[StreamItem]:
        if b"!" in data:
            raise IndexError("planted")
        if b"?" in data:
            raise ProtocolError("told")
        if b"#" in data:
            self.buffered_bytes = MAX_HELD_BYTES + 1
        return []

    def gap(self) -> None: ...

    def close(self) -> list[StreamItem]:
        return []


def test_a_planted_bug_is_seen_and_a_told_error_is_none() -> None:
    """Else the fuzzer would run for nothing."""
    target = items(Planted)
    target(b"\x00\x00 ?")
    with pytest.raises(IndexError):
        target(b"\x00\x00 !")
    with pytest.raises(AssertionError):
        target(b"\x00\x00 #")


def test_an_input_says_where_it_is_cut_and_where_bytes_are_lost() -> None:
    """So a fuzzer can look for splits and gaps as it looks for bytes."""
    assert list(cuts(b"\x01\x00abcde")) == [(b"ab", False), (b"cd", False), (b"e", False)]
    assert [lost for _, lost in cuts(b"\x00\x02abc")] == [False, False, True]
    assert list(cuts(b"\x00")) == []
