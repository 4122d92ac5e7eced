"""Cohere's chat: what is billed is not what is counted."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, dialect_of, head, read

HOST = "api.cohere.com"
USAGE = {
    "billed_units": {"input_tokens": 7, "output_tokens": 88},
    "tokens": {"input_tokens": 69, "output_tokens": 89},
    "cached_tokens": 48,
}


def test_billed_units_are_what_is_paid() -> None:
    """7, not 69; ``cached_tokens`` counts the other kind and is left out."""
    got = read("/v2/chat", HOST, answer={"id": "c", "usage": USAGE})
    assert (counts(got), got.usage.cache_read_input_tokens) == ((7, 88), None)


def test_the_path_alone_is_anybodys() -> None:
    """Another application's ``/v1/chat`` is not read."""
    assert dialect_of(head("/v1/chat", "shop.internal")) is None
    assert dialect_of(head("/v1/chat", HOST)) is not None


def test_a_cut_stream_has_no_usage() -> None:
    """It comes with the last event."""
    got = read(
        "/v2/chat", HOST, items=[{"type": "message-start", "id": "c"}, {"type": "content-delta"}], complete=False
    )
    assert (got.evidence, got.response_id) == (Evidence.ABSENT, "c")


def test_a_cut_answer_keeps_its_billed_units() -> None:
    """As partial."""
    got = read(
        "/v2/chat", HOST, answer=b'{"usage":{"billed_units":{"input_tokens":7,"output_tokens":8},"tok', complete=False
    )
    assert (counts(got), got.evidence) == ((7, 8), Evidence.PARTIAL)


def test_version_1_streams_lines() -> None:
    """The last one has the whole answer."""
    end = {
        "event_type": "stream-end",
        "finish_reason": "COMPLETE",
        "response": {"response_id": "r", "tool_calls": [{"name": "f"}], "meta": USAGE},
    }
    got = read("/v1/chat", HOST, items=[{"event_type": "stream-start"}, {"event_type": "text-generation"}, end])
    assert (counts(got), got.response_id, got.tool_calls, got.finish_reason) == ((7, 88), "r", ("f",), "COMPLETE")


def test_more_billed_than_counted_is_remarked() -> None:
    """Not seen yet."""
    odd = {"billed_units": {"input_tokens": 70}, "tokens": {"input_tokens": 69}}
    assert read("/v2/chat", HOST, answer={"usage": odd}).remarks == ("billed_exceeds_counted",)
