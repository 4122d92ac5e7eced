"""The optional tokenizer: exact, bounded in size and time, and never a reason to stop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from agent.estimation.counting import MAX_COUNTED_CHARS, ByCharacters
from agent.host import tokenizer
from agent.host.tokenizer import Exact, chosen


@pytest.mark.parametrize(
    ("encoding", "text", "tokens"),
    [
        ("o200k_base", "hello world", 2),
        ("cl100k_base", "hello world", 2),
        ("o200k_base", "Die Rechnung ist höher als erwartet.", 7),
        ("cl100k_base", "<|endoftext|>", 7),
        ("o200k_base", "", 0),
    ],
)
def test_it_is_openais_own_count(encoding: str, text: str, tokens: int) -> None:
    """Text that looks like a special token is text."""
    assert Exact().count([text], encoding) == (tokens, encoding)


def test_texts_are_counted_one_by_one() -> None:
    """A token never reaches from one text into the next; a long text is cut in pieces, at the cost of a token or two for each cut."""
    assert Exact().count(["hel", "lo"], "o200k_base").tokens == 2
    long = "The invoice is higher than expected. " * 5000
    pieces = len(long) // tokenizer._PIECE_CHARS
    assert abs(Exact().count([long], "o200k_base").tokens - 5000 * 7) <= 2 * pieces + 1


def test_half_a_pair_is_no_error() -> None:
    """Python's lenient JSON reader lets it through; the tokenizer takes valid text alone."""
    assert Exact().count(["a\ud800b"], "o200k_base").basis == "o200k_base"


class Fake:
    """Counts a token a character, and remembers."""

    def __init__(self) -> None:
        self.chars = 0

    def __call__(self, texts: Sequence[str], encoding: str, threads: int) -> list[int]:
        self.chars += sum(len(text) for text in texts)
        return [len(text) for text in texts]


def test_size_is_capped() -> None:
    """Of a longer text its beginning is counted, and the rest taken in proportion."""
    fake = Fake()
    assert Exact(fake).count(["x" * 3 * MAX_COUNTED_CHARS], "e").tokens == 3 * MAX_COUNTED_CHARS
    assert fake.chars == MAX_COUNTED_CHARS


def test_time_is_capped() -> None:
    """When it takes too long, the same: what was counted so far stands for the whole."""
    fake, now = Fake(), iter(range(100))
    counted = Exact(fake, clock=lambda: next(now)).count(["x" * MAX_COUNTED_CHARS], "e")
    assert (counted.tokens, fake.chars) == (MAX_COUNTED_CHARS, tokenizer._PIECE_CHARS)


def test_loading_is_not_counted_as_time() -> None:
    """The first text of an encoding is counted whole, however long its vocabulary takes to load."""

    class Slow(Fake):
        now = 0.0

        def __call__(self, texts: Sequence[str], encoding: str, threads: int) -> list[int]:
            self.now += 1.0 if texts == [""] else 0.001
            return super().__call__(texts, encoding, threads)

    slow = Slow()
    exact = Exact(slow, clock=lambda: slow.now)
    for encoding in ("a", "b"):
        exact.count(["x" * MAX_COUNTED_CHARS], encoding)
    assert slow.chars == 2 * MAX_COUNTED_CHARS


class Panic(BaseException):
    """What Rust's panics are in Python."""


def test_a_panic_costs_the_tokenizer_and_not_the_agent() -> None:
    """From then on characters are counted, and the native code is not asked again."""
    asked = 0

    def broken(texts: Sequence[str], encoding: str, threads: int) -> list[int]:
        nonlocal asked
        asked += 1
        raise Panic

    told: list[str] = []
    exact = Exact(broken, failed=told.append)
    for _ in range(2):
        assert exact.count(["hello world"], "o200k_base") == ByCharacters().count(["hello world"], "")
    assert (asked, told) == (1, ["Panic"])


def test_whoever_is_told_to_stop_stops() -> None:
    """SIGINT in the middle of a count is not a broken tokenizer."""

    def interrupted(texts: Sequence[str], encoding: str, threads: int) -> list[int]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Exact(interrupted).count(["a"], "e")


def test_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """By configuration, and by what is installed."""
    assert isinstance(chosen(), Exact)
    assert isinstance(chosen("characters"), ByCharacters)
    assert chosen("none") is None
    monkeypatch.setattr(tokenizer, "find_spec", lambda name: None)
    assert isinstance(chosen(), ByCharacters)


def test_it_needs_no_network_and_is_loaded_when_needed() -> None:
    """In a process that may open no socket and no file of a vocabulary: counts; before the first count nothing is loaded."""
    program = """
import socket, sys
def refused(*_): raise AssertionError("network")
socket.socket = refused
from agent.host.tokenizer import chosen
made = chosen()
assert "toktok" not in sys.modules
assert made.count(["hello world"], "o200k_base") == (2, "o200k_base")
assert "toktok" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
