"""Replicate: seconds on its processor."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import read

HOST = "api.replicate.com"


def test_the_time_of_a_failed_prediction_is_paid() -> None:
    """The error is told all the same, without its prose."""
    answer = {"id": "p", "status": "failed", "error": "out of memory", "metrics": {"predict_time": 3.5}}
    got = read("/v1/predictions/p", HOST, method="GET", answer=answer)
    assert (got.usage.compute_seconds, got.evidence, got.error) == (3.5, Evidence.REPORTED, "error")


def test_an_unfinished_prediction_costs_nothing_yet() -> None:
    """Its usage comes with a later question."""
    got = read("/v1/predictions", HOST, answer={"id": "p", "status": "processing"}, status=201)
    assert (got.evidence, got.finish_reason) == (Evidence.NOT_APPLICABLE, "processing")


def test_an_error_in_the_stream() -> None:
    """By the event's name."""
    from agent.model import StreamItem

    got = read("/v1/streams/x", "stream.replicate.com", method="GET", items=[StreamItem("error", b"prose")])
    assert got.error == "error"
