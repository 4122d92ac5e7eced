"""Gemini over gRPC; whole exchanges, written by Google's own library, are in the golden folder."""

from __future__ import annotations

from agent.dialects.gemini_grpc import GeminiGrpc, GeminiGrpcStream, answer_of
from agent.dialects.protobuf import Message
from tests.dialects.helpers import dialect_of, head

SERVICE = "/google.cloud.aiplatform.v1.PredictionService/"
HOST = "europe-west1-aiplatform.googleapis.com"


def test_methods_have_dialects() -> None:
    """And what is not billed by tokens has none of these."""
    assert dialect_of(head(SERVICE + "GenerateContent", HOST)) is GeminiGrpc
    assert dialect_of(head(SERVICE.replace("v1", "v1beta1") + "StreamGenerateContent", HOST)) is GeminiGrpcStream
    assert dialect_of(head(SERVICE + "Explain", HOST)) is None


def test_counts_that_are_0_are_not_sent() -> None:
    """A usage message that is there states prompt, candidates and total."""
    usage = bytes.fromhex("0807")  # prompt_token_count: 7
    answer = answer_of(Message(b"\x22" + bytes([len(usage)]) + usage))
    assert answer["usageMetadata"] == {"promptTokenCount": 7, "candidatesTokenCount": 0, "totalTokenCount": 0}


def test_an_answer_without_usage_states_none() -> None:
    """Absent is not 0."""
    assert "usageMetadata" not in answer_of(Message(bytes.fromhex("5a0167")))


def test_a_reason_that_is_newer_than_we_are_is_its_number() -> None:
    """Nothing is guessed."""
    assert answer_of(Message(bytes.fromhex("12021863")))["candidates"] == [
        {"finishReason": "99", "content": {"parts": []}, "groundingMetadata": {"webSearchQueries": []}}
    ]
