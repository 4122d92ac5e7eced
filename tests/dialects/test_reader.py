"""What most dialects inherit."""

from __future__ import annotations

import pytest

from agent.dialects.reader import Reader, header_count
from agent.dialects.values import Json, count
from agent.model import Evidence, ResponseHead, StreamItem
from tests.dialects.helpers import head

# Only compiled classes can inherit from compiled ones.
pytestmark = pytest.mark.interpreted


class Sample(Reader):
    def _take(self, answer: Json) -> None:
        self._count(input_tokens=count(answer.get("n")))
        self._call_tool(answer.get("tool"))


def sample(status: int = 200) -> Sample:
    one = Sample(head("/x", "x"), "unknown")
    one.response_head(ResponseHead(stream_id=1, status=status, headers={}))
    return one


def test_a_whole_document_is_the_last_word() -> None:
    """Reported."""
    one = sample()
    one.document(b'{"n": 3}', True)
    got = one.reading(complete=True, streaming=False)
    assert (got.usage.input_tokens, got.evidence) == (3, Evidence.REPORTED)


def test_a_stream_counts_as_reported_when_it_came_to_its_end() -> None:
    """Else it is partial."""
    for complete, evidence in ((True, Evidence.REPORTED), (False, Evidence.PARTIAL)):
        one = sample()
        one.item(StreamItem("", b'{"n": 3}'))
        assert one.reading(complete=complete, streaming=True).evidence is evidence


def test_what_is_not_stated_does_not_take_back_what_was() -> None:
    """None is "not stated"."""
    one = sample()
    one.item(StreamItem("", b'{"n": 3}'))
    one.item(StreamItem("", b'{"tool": "f"}'))
    got = one.reading(complete=True, streaming=True)
    assert (got.usage.input_tokens, got.tool_calls) == (3, ("f",))


class Partly(Sample):
    def _take_part(self, body: bytes) -> None:
        self._count(input_tokens=count(3) if b'"n": 3' in body else None)


def test_of_a_part_what_is_there_is_a_lower_bound() -> None:
    """A document that was cut has no last word; and garbage that came whole is no part."""
    for complete, tokens, evidence in ((False, 3, Evidence.PARTIAL), (True, None, Evidence.ABSENT)):
        one = Partly(head("/x", "x"), "unknown")
        one.document(b'{"n": 3, "m', complete)
        got = one.reading(complete=complete, streaming=False)
        assert (got.usage.input_tokens, got.evidence) == (tokens, evidence)


def test_an_error_is_nothing_to_bill() -> None:
    """By status, or inside a 200."""
    for status, body in (
        (500, b'{"error": {"code": "x_y"}}'),
        (400, b'{"code": "x_y"}'),
        (200, b'{"error": {"code": "x_y"}}'),
    ):
        one = sample(status)
        one.document(body, True)
        got = one.reading(complete=True, streaming=False)
        assert (got.evidence, got.error) == (Evidence.NOT_APPLICABLE, "x_y")


def test_tools_are_bounded() -> None:
    """Thousands of names are an attack on memory."""
    one = sample()
    for _ in range(1000):
        one.item(StreamItem("", b'{"tool": "f"}'))
    assert len(one.reading(complete=True, streaming=True).tool_calls) == 256


def test_the_tier_that_was_asked_for_stands_until_another_is_said() -> None:
    """It is another price."""
    one = sample()
    one.request_body(b'{"model": "m", "service_tier": "flex"}', True)
    one.document(b'{"n": 3}', True)
    got = one.reading(complete=True, streaming=False)
    assert (got.requested_model, got.service_tier) == ("m", "flex")
    one.tier = "default"
    assert one.reading(complete=True, streaming=False).service_tier == "default"


def test_half_a_request_names_the_model_that_its_path_does_not() -> None:
    """What was found in the path is not given up for what half a body seems to say."""
    for in_path, found in (("", "m"), ("p", "p")):
        one = sample()
        one.requested_model = in_path
        one.request_body(b'{"model": "m", "messages": [', False)
        assert one.reading(complete=True, streaming=False).requested_model == found


class Anybodys(Sample):
    _shape = frozenset({"n"})


def test_an_answer_on_anybodys_path_is_told_by_its_keys() -> None:
    """Else half the world's calls were an AI's; of a part nothing can be said."""
    for answer, complete, recognised in (
        (b'{"n": 3}', True, True),
        (b'{"x": 3}', True, False),
        (b'{"x": 3', False, True),
    ):
        one = Anybodys(head("/x", "x"), "unknown")
        one.document(answer, complete)
        assert one.reading(complete=complete, streaming=False).recognised is recognised


def test_headers_are_counters_or_nothing() -> None:
    """Never negative, never endless."""
    for text, expected in (("7", 7), ("-7", None), ("7.5", None), ("\u0667", None), ("9" * 20, None), ("", None)):
        assert header_count({"x": text}, "x") == expected
