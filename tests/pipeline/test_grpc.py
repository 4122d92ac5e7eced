"""gRPC through the whole core: messages in a stream of HTTP/2, and how it went in what comes last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.dialects.by_body import REMARK
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


def test_a_stream_that_fails_half_way_is_partial() -> None:
    """HTTP's framing is whole; what was stated until then was provisional."""
    both = asked()
    both.wire.receive(both.server.head(1, WENT_WELL) + both.server.data(1, grpc(STREAM["response"]["grpc"][:1])))
    both.wire.receive(both.server.head(1, [("grpc-status", "14")], end=True))
    (call,) = both.wire.calls
    assert (call.outcome, call.reading.evidence) == (Outcome.SERVER_ERROR, Evidence.PARTIAL)
    assert call.reading.usage.input_tokens


def late(path: str, *, host: str = HOST) -> Both:
    """A connection on which one call went by before we came: all its names are said by number from now on."""
    both = Both()
    both.client.preface()
    both.client.head(1, heads(path, host))
    both.server.settings()
    both.server.head(1, [*WENT_WELL, ("grpc-encoding", "gzip")])
    both.server.head(1, [("grpc-status", "0")], end=True)
    return both


def heads(path: str, host: str = HOST) -> list[tuple[str, str]]:
    return [(":method", "POST"), (":scheme", "https"), (":authority", host), (":path", path), KIND]


def ask_late(both: Both, path: str, asked: bytes, host: str = HOST) -> Both:
    both.wire.send(both.client.head(3, heads(path, host)) + both.client.data(3, asked, end=True))
    return both


def golden(name: str) -> tuple[bytes, list[bytes]]:
    exchange = json.loads(Path(GOLDEN, name).read_text("utf-8"))
    return grpc(exchange["request"]["grpc"]), [grpc([one]) for one in exchange["response"]["grpc"]]


@pytest.mark.parametrize(
    ("name", "path", "host", "provider", "api"),
    [
        ("gemini_grpc/stream.json", PATH, HOST, "gcp.vertex_ai", "gemini/streamGenerateContent"),
        ("gemini_grpc/generate.json", PATH.replace("Stream", ""), HOST, "gcp.vertex_ai", "gemini/generateContent"),
        ("xai_grpc/completion.json", "/xai_api.Chat/GetCompletion", "api.x.ai", "x_ai", "xai/GetCompletion"),
        ("xai_grpc/stream.json", "/xai_api.Chat/GetCompletionChunk", "api.x.ai", "x_ai", "xai/GetCompletionChunk"),
    ],
)
def test_joined_in_the_middle(name: str, path: str, host: str, provider: str, api: str) -> None:
    """Path, host, type of the answer and its end are missing; messages say whose they are, and all of the usage."""
    asked, answer = golden(name)
    expected = json.loads(Path(GOLDEN, name).read_text("utf-8"))["expected"]
    both = ask_late(late(path, host=host), path, asked, host)
    both.wire.receive(both.server.head(3, WENT_WELL) + b"".join(both.server.data(3, one) for one in answer))
    both.wire.receive(both.server.head(3, [("grpc-status", "0")], end=True)).close()
    (call,) = both.wire.calls
    assert (call.provider, call.api, call.host, call.outcome) == (provider, api, "", Outcome.OK)
    assert call.reading.evidence is Evidence.REPORTED
    assert call.reading.streaming is expected["streaming"]
    assert REMARK in call.reading.remarks
    assert (call.reading.usage.input_tokens, call.reading.usage.output_tokens) == (
        expected["usage"]["input_tokens"],
        expected["usage"]["output_tokens"],
    )
    assert call.reading.requested_model == expected["requested_model"]


def test_joined_in_the_middle_and_failed() -> None:
    """A status that is said anew is told; an end without an answer, whose status is not known, is no success."""
    asked, _ = golden("gemini_grpc/generate.json")
    refused = ask_late(late(PATH), PATH, asked)
    refused.wire.receive(refused.server.head(3, [*WENT_WELL, ("grpc-status", "8")], end=True)).close()
    (call,) = refused.wire.calls
    # hpack says the name by its number too, so the status is not known; grpcio and Go say it in full.
    assert (call.outcome, call.reading.evidence) == (Outcome.CUT, Evidence.ABSENT)
    assert call.provider == "gcp.vertex_ai"


def test_joined_in_the_middle_what_is_not_certain_is_nobodys() -> None:
    """The shape of a message proves nothing: without a text that is one API's alone no provider is named, and no call counted."""
    asked = b"\0" + (8).to_bytes(4, "big") + b"\x12\x06gpt-4o"
    both = ask_late(late("/acme.Chat/Ask"), "/acme.Chat/Ask", asked)
    _, answer = golden("gemini_grpc/generate.json")
    both.wire.receive(both.server.head(3, WENT_WELL) + both.server.data(3, answer[0]))
    both.wire.receive(both.server.head(3, [("grpc-status", "0")], end=True)).close()
    assert both.wire.outputs == []


def test_joined_in_the_middle_bytes_that_are_no_messages_cost_themselves_only() -> None:
    """A body that begins like a message and goes on otherwise ends nothing but itself: the next call is read."""
    both = late(PATH)
    both.wire.send(both.client.head(3, heads("/other")) + both.client.data(3, b"\0asked", end=True))
    both.wire.receive(both.server.head(3, WENT_WELL) + both.server.data(3, b"\0\0\0\0\x01x\x7fnever", end=True))
    asked, answer = golden("gemini_grpc/generate.json")
    both.wire.send(both.client.head(5, heads(PATH)) + both.client.data(5, asked, end=True))
    both.wire.receive(both.server.head(5, WENT_WELL) + both.server.data(5, answer[0]))
    both.wire.receive(both.server.head(5, [("grpc-status", "0")], end=True)).close()
    assert [call.reading.evidence for call in both.wire.calls] == [Evidence.REPORTED]
