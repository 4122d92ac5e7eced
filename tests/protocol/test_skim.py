"""Skimming: JSON of the same form remains, text as it was, data shortened, however the bytes are cut."""

from __future__ import annotations

import base64
import itertools
import json
import os
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.protocol.skim import KEPT_OF_A_RUN_BYTES, Skimmer

PICTURE = base64.b64encode(random.Random(7).randbytes(300_000)).decode()
WRAPPED = base64.encodebytes(random.Random(8).randbytes(60_000)).decode()
TEXT = "How much is it, all in all? It's \\ said to be “dear”, ünd 好貴.\n" * 400
VECTOR = [random.Random(9).uniform(-1, 1) * 10 ** random.Random(10 + i % 7).randint(-9, 1) for i in range(3072)]

BODY = {
    "model": "gpt-5",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": TEXT}, {"type": "image", "data": PICTURE}]},
        {"role": "user", "content": [{"type": "image", "data": WRAPPED, "after": "x"}]},
    ],
    "data": [{"embedding": VECTOR, "index": 0}, {"embedding": VECTOR, "index": 1}],
    "mixed": [*range(3000), {"last": 1}, "a"],
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}


def skim(data: bytes, cuts: list[int] | None = None) -> Skimmer:
    skimmer = Skimmer()
    edges = [0, *sorted(cuts or ()), len(data)]
    for start, end in itertools.pairwise(edges):
        skimmer.receive(data[start:end])
    skimmer.close()
    return skimmer


def shortened(value: Any) -> Any:
    """The same, with only so much of each string and each array as is kept in any case."""
    match value:
        case dict():
            return {key: shortened(each) for key, each in value.items()}
        case list() if value and all(isinstance(each, float | int) for each in value):
            return value[:100]
        case list():
            return [shortened(each) for each in value if not isinstance(each, float | int)]
        case str() if " " not in value:
            return value[:3000]
    return value


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("slashes", [True, False])
def test_the_form_remains(separators: tuple[str, str], indent: int | None, ascii_only: bool, slashes: bool) -> None:
    """Whoever wrote it: with or without white space, escapes, and PHP's escaped slashes."""
    text = json.dumps(BODY, separators=separators, indent=indent, ensure_ascii=ascii_only)
    data = (text.replace("/", "\\/") if slashes else text).encode()
    for cuts in ([], list(range(1000, len(data), 1000)), list(range(16384, len(data), 16384))):
        skimmer = skim(data, cuts)
        kept = json.loads(bytes(skimmer.kept))
        assert shortened(kept) == shortened(BODY)
        assert kept["messages"][0]["content"][0]["text"] == TEXT
        assert kept["mixed"][-2:] == [{"last": 1}, "a"]
        assert len(skimmer.kept) < len(data) / 4
        assert len(skimmer.kept) + skimmer.skipped_bytes - len(data) in (0, 1, 2), "a comma may be written anew"


def test_byte_by_byte_and_every_cut() -> None:
    """At the edges of runs, inside escapes and numbers."""
    size = KEPT_OF_A_RUN_BYTES
    body = {"a": "b" * (size - 3) + "\n/" + "c" * 50, "v": [0.5] * (size // 4 + 30), "t": "\\" * 40, "end": 1}
    data = json.dumps(body).replace("/", "\\/").encode()
    wanted = shortened(body)
    assert shortened(json.loads(bytes(skim(data, list(range(1, len(data)))).kept))) == wanted
    for cut in range(1, len(data)):
        assert shortened(json.loads(bytes(skim(data, [cut]).kept))) == wanted


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
    max_leaves=30,
), st.lists(st.integers(0, 4000), max_size=8))  # fmt: skip
def test_small_json_is_not_changed(value: Any, cuts: list[int]) -> None:
    """Nothing in it is long enough."""
    data = json.dumps(value).encode()
    assert bytes(skim(data, [cut % (len(data) + 1) for cut in cuts]).kept) == data


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=6), st.integers(0, 6))
def test_anything_at_all(garbage: bytes, cuts: list[int], times: int) -> None:
    """No error, and never more than came (a comma a run aside)."""
    data = garbage * times + b"A" * 5000 + garbage
    skimmer = skim(data, [cut % (len(data) + 1) for cut in cuts])
    assert len(skimmer.kept) <= len(data) + 2


@pytest.mark.parametrize("number", ["1.5", "-0.25", "1e-07", "1.5e+300", "12345"])
def test_a_number_at_the_edge_is_whole_or_gone(number: str) -> None:
    """With a comma before it, or only white space."""
    for before in ("[", "[7,", "[7 ,", '[{"a":', '[{"a":1,"b":'):
        for after in ("]", ",8]", " , null]", "  ]") if "{" not in before else ("}]", ',"c":2}]', "  }, 9]"):
            for spaces in range(KEPT_OF_A_RUN_BYTES - 12, KEPT_OF_A_RUN_BYTES + 3):
                data = (before + " " * spaces + number + after).encode()
                kept, whole = json.loads(bytes(skim(data).kept)), json.loads(data)
                assert len(kept) <= len(whole)
                assert "{" not in before or kept[0].keys() == whole[0].keys()


def test_a_gap_ends_a_run() -> None:
    """What comes behind lost bytes may be anything."""
    skimmer = Skimmer()
    skimmer.receive(b'{"a":"' + b"A" * 9000)
    skimmer.gap()
    skimmer.receive(b'BC","usage":{}}')
    skimmer.close()
    assert bytes(skimmer.kept).endswith(b'BC","usage":{}}')
    assert skimmer.skipped_bytes == 9000 - KEPT_OF_A_RUN_BYTES


def test_a_gap_ends_an_escape() -> None:
    """The half of it that came before is not put before what came after."""
    skimmer = Skimmer()
    skimmer.receive(b'{"a":"x\\')
    skimmer.gap()
    skimmer.receive(b'","usage":{}}')
    skimmer.close()
    assert bytes(skimmer.kept) == b'{"a":"x","usage":{}}'


def test_64_megabytes_stay_small() -> None:
    """What is kept of a picture does not grow with it."""
    skimmer = Skimmer()
    skimmer.receive(b'{"model":"m","data":"')
    piece = base64.b64encode(os.urandom(12_288))
    for _ in range(64 * 64):
        skimmer.receive(piece)
    skimmer.receive(b'"}')
    skimmer.close()
    assert json.loads(bytes(skimmer.kept))["model"] == "m"
    assert len(skimmer.kept) < 2 * KEPT_OF_A_RUN_BYTES
    assert skimmer.skipped_bytes > 64 * 1024**2 - 2 * KEPT_OF_A_RUN_BYTES


def test_short_runs_cost_one_look_each() -> None:
    """A body made to be looked at again and again from each of its bytes takes no more looks than one of text."""
    piece = (b"a" * (KEPT_OF_A_RUN_BYTES - 1) + b"\\x") * 4
    skimmer = Skimmer()
    for _ in range(200):
        skimmer.receive(piece)
    skimmer.close()
    assert skimmer.skipped_bytes == 0
