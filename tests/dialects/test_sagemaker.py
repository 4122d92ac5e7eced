"""SageMaker's endpoints."""

from __future__ import annotations

from agent.dialects.sagemaker import SageMakerStream
from agent.model import Evidence, StreamItem
from tests.dialects.helpers import counts, head, read
from tests.protocol.cuts import growth

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


def test_lines_share_parts() -> None:
    """Several in one, one in several, the last without an end: each is read by itself."""
    parts: list[object] = [
        StreamItem("PayloadPart", part)
        for part in (
            b'{"model":"m","usage":{"prompt_tokens":5,',
            b'"completion_tokens":1}}\n{"x":1}\n{"details"',
            b':{"generated_tokens":9}}',
        )
    ]
    reading = read("/endpoints/e/invocations-response-stream", HOST, items=parts)
    assert counts(reading) == (5, 9)
    assert reading.served_model == "m"


def test_a_long_line_in_small_parts_is_looked_at_once() -> None:
    """And not copied for each of them."""
    request = head("/endpoints/e/invocations-response-stream", HOST)

    def feed(size: int) -> None:
        stream = SageMakerStream(request, "aws_bedrock")
        for _ in range(size):
            stream.item(StreamItem("PayloadPart", b"xx"))

    assert growth(feed, small=10_000) < 24
