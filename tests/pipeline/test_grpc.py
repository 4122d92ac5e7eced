"""gRPC through the whole core: messages in a stream of HTTP/2, and how it went in what comes last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.model import Evidence, Outcome
from tests.dialects.test_golden import GOLDEN, grpc
from tests.pipeline.test_http2 import Both

STREAM = json.loads(Path(GOLDEN, "gemini_grpc", "stream.json").read_text("utf-8"))
ASK = grpc(STREAM["request"]["grpc"])
ANSWER = grpc(STREAM["response"]["grpc"])
PATH = "/google.cloud.aiplatform.v1.PredictionService/StreamGenerateContent"
HOST = "europe-west1-aiplatform.googleapis.com"
KIND = ("content-type", "application/grpc")
WENT_WELL = [(":status", "200"), KIND]


def asked() -> Both:
    both = Both().begin()
    head = [(":method", "POST"), (":scheme", "https"), (":authority", HOST), (":path", PATH), KIND]
    both.wire.send(both.client.head(1, head) + both.client.data(1, ASK, end=True))
    return both


def test_a_call_that_went_well() -> None:
    """grpc-status 0 in the trailers."""
    both = asked()
    body = both.server.head(1, WENT_WELL) + both.server.data(1, ANSWER)
    both.wire.receive(body + both.server.head(1, [("grpc-status", "0")], end=True))
    (call,) = both.wire.calls
    assert (call.provider, call.api, call.status, call.outcome) == (
        "gcp.vertex_ai", "gemini/streamGenerateContent", 200, Outcome.OK,
    )  # fmt: skip
    assert (call.reading.usage.input_tokens, call.reading.usage.output_tokens) == (1000, 200)
    assert (call.reading.evidence, call.reading.streaming) == (Evidence.REPORTED, True)


@pytest.mark.parametrize(
    ("stated", "status", "outcome"),
    [("8", 429, Outcome.RATE_LIMITED), ("3", 400, Outcome.CLIENT_ERROR), ("14", 503, Outcome.SERVER_ERROR)],
)
def test_a_call_that_failed(stated: str, status: int, outcome: Outcome) -> None:
    """HTTP says 200; the status that means the same is told.  It may also come with the head alone."""
    both = asked()
    both.wire.receive(both.server.head(1, WENT_WELL) + both.server.head(1, [("grpc-status", stated)], end=True))
    alone = asked()
    alone.wire.receive(alone.server.head(1, [*WENT_WELL, ("grpc-status", stated)], end=True))
    for (call,) in (both.wire.calls, alone.wire.calls):
        assert (call.status, call.outcome, call.reading.evidence) == (status, outcome, Evidence.NOT_APPLICABLE)


def test_a_stream_that_is_cut_is_partial() -> None:
    """The first chunk states the prompt's count, and it never came to more."""
    both = asked()
    first = grpc(STREAM["response"]["grpc"][:1])
    both.wire.receive(both.server.head(1, WENT_WELL) + both.server.data(1, first + ANSWER[:20])).close()
    (call,) = both.wire.calls
    assert call.outcome is Outcome.CUT
    assert call.reading.evidence is Evidence.PARTIAL
