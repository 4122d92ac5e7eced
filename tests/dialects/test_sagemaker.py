"""SageMaker's endpoints."""

from __future__ import annotations

from agent.model import Evidence, StreamItem
from tests.dialects.helpers import counts, read

HOST = "runtime.sagemaker.us-east-1.amazonaws.com"


def test_a_line_is_cut_by_parts_anywhere() -> None:
    """The container's lines and AWS's frames don't know of each other."""
    line = b'data: {"model":"m","usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}'
    for cut in range(len(line)):
        parts: list[object] = [StreamItem("PayloadPart", line[:cut]), StreamItem("PayloadPart", line[cut:])]
        assert counts(read("/endpoints/e/invocations-response-stream", HOST, items=parts)) == (5, 2)


def test_an_endless_line_is_forgotten() -> None:
    """Bounded memory."""
    parts: list[object] = [StreamItem("PayloadPart", b"x" * 200_000)] * 5
    assert read("/endpoints/e/invocations-response-stream", HOST, items=parts).evidence is Evidence.ABSENT


def test_the_endpoint_is_the_model() -> None:
    """Nothing else names it."""
    assert (
        read("/endpoints/my%20llama/invocations", HOST, answer={"usage": {"total_tokens": 3}}).requested_model
        == "my llama"
    )
