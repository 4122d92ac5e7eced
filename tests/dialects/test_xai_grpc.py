"""xAI over gRPC; whole exchanges, written by xAI's own library, are in the golden folder."""

from __future__ import annotations

from agent.dialects.xai_grpc import XaiGrpc, XaiGrpcStream
from agent.model import Evidence, ResponseHead, StreamItem
from tests.dialects.helpers import dialect_of, head


def test_methods_have_dialects() -> None:
    """One answer, and a stream."""
    assert dialect_of(head("/xai_api.Chat/GetCompletion", "api.x.ai")) is XaiGrpc
    assert dialect_of(head("/xai_api.Chat/GetCompletionChunk", "api.x.ai")) is XaiGrpcStream
    assert dialect_of(head("/xai_api.Chat/DeleteStoredCompletion", "api.x.ai")) is None


def test_a_stream_that_was_cut_is_partial() -> None:
    """Each chunk states usage, and only the last one's is the provider's last word."""
    reader = XaiGrpcStream(head("/xai_api.Chat/GetCompletionChunk", "api.x.ai"), "x_ai")
    reader.response_head(ResponseHead(stream_id=1, status=200, headers={}))
    # id "x"; an output that goes on; usage of 5 completion and 3 prompt tokens.
    reader.item(StreamItem("", bytes.fromhex("0a0178 12020a00 320408051003")))
    reading = reader.reading(complete=False, streaming=True)
    assert (reading.usage.input_tokens, reading.usage.output_tokens) == (3, 5)
    assert reading.evidence is Evidence.PARTIAL
