"""Bedrock's agents."""

from __future__ import annotations

import json

from agent.model import Evidence, StreamItem
from tests.dialects.helpers import counts, read

HOST = "bedrock-agent-runtime.us-east-1.amazonaws.com"
PATH = "/agents/A/agentAliases/B/sessions/s/text"


def step(taken: int, made: int, name: str = "orchestrationTrace") -> StreamItem:
    usage = {"inputTokens": taken, "outputTokens": made}
    trace = {"trace": {name: {"modelInvocationOutput": {"metadata": {"usage": usage}}}}}
    return StreamItem("trace", json.dumps(trace).encode())


def test_each_step_of_the_model_is_added_up() -> None:
    """No event has the sum."""
    got = read(PATH, HOST, items=[step(1, 2), step(10, 20, "preProcessingTrace"), step(100, 200)])
    assert (counts(got), got.evidence) == ((111, 222), Evidence.REPORTED)


def test_cut_between_steps_it_is_partial() -> None:
    """More may have followed."""
    assert read(PATH, HOST, items=[step(1, 2)], complete=False).evidence is Evidence.PARTIAL


def test_without_a_trace_nothing_is_stated() -> None:
    """Absent."""
    assert read(PATH, HOST, items=[StreamItem("chunk", b'{"bytes":"SGk="}')]).evidence is Evidence.ABSENT
