"""What most dialects inherit."""

from __future__ import annotations

from agent.dialects.reader import Reader, header_count
from agent.dialects.values import Json, count
from agent.model import Evidence, ResponseHead, StreamItem
from tests.dialects.helpers import head


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


def test_an_error_is_nothing_to_bill() -> None:
    """By status, or inside a 200."""
    one = sample(500)
    one.document(b'{"error": {"code": "x_y"}}', True)
    got = one.reading(complete=True, streaming=False)
    assert (got.evidence, got.error) == (Evidence.NOT_APPLICABLE, "x_y")


def test_tools_are_bounded() -> None:
    """Thousands of names are an attack on memory."""
    one = sample()
    for _ in range(1000):
        one.item(StreamItem("", b'{"tool": "f"}'))
    assert len(one.reading(complete=True, streaming=True).tool_calls) == 256


def test_headers_are_counters_or_nothing() -> None:
    """Never negative, never endless."""
    for text, expected in (("7", 7), ("-7", None), ("7.5", None), ("\u0667", None), ("9" * 20, None), ("", None)):
        assert header_count({"x": text}, "x") == expected
