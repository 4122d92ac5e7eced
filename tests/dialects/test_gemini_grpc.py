"""Gemini over gRPC; whole exchanges, written by Google's own library, are in the golden folder."""

from __future__ import annotations

from agent.dialects.gemini_grpc import GeminiGrpc, GeminiGrpcStream, answer_of
from agent.dialects.protobuf import Message
from tests.dialects.helpers import dialect_of, head
from tests.dialects.protobuf_messages import message

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


def test_every_field_is_read_by_its_number() -> None:
    """GenerateContentResponse of aiplatform/v1: what pricing needs, and nothing of the text."""

    def details(modality: int, count: int) -> bytes:
        return message((1, modality), (2, count))

    called = message((5, message((1, "look_up"))))
    usage = message(
        (1, 100), (2, 20), (3, 165), (5, 40), (8, 4), (9, details(1, 60)), (9, details(4, 40)), (10, details(1, 40))
    ) + message((11, details(6, 20)), (12, details(5, 5)), (13, 5), (14, 45))
    candidate = message(
        (2, message((2, message((1, "text"))), (2, called))), (3, 2), (7, message((1, "q1"), (1, "q2")))
    )
    said = message((2, candidate), (3, message((1, 7))), (4, usage), (11, "gemini-3-pro"), (13, "r1"))
    assert answer_of(Message(said)) == {
        "responseId": "r1",
        "modelVersion": "gemini-3-pro",
        "candidates": [
            {
                "finishReason": "MAX_TOKENS",
                "content": {"parts": [{"functionCall": {"name": "look_up"}}]},
                "groundingMetadata": {"webSearchQueries": ["q1", "q2"]},
            }
        ],
        "promptFeedback": {"blockReason": True},
        "usageMetadata": {
            "promptTokenCount": 100,
            "candidatesTokenCount": 20,
            "totalTokenCount": 165,
            "cachedContentTokenCount": 40,
            "toolUsePromptTokenCount": 5,
            "thoughtsTokenCount": 45,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 60},
                {"modality": "AUDIO", "tokenCount": 40},
            ],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
            "candidatesTokensDetails": [{"modality": "6", "tokenCount": 20}],
            "toolUsePromptTokensDetails": [{"modality": "DOCUMENT", "tokenCount": 5}],
            "trafficType": "ON_DEMAND_FLEX",
        },
    }


def test_a_prompt_that_was_not_blocked_says_nothing_of_it() -> None:
    """The message is there in some answers, and empty."""
    assert "promptFeedback" not in answer_of(Message(message((3, b""), (13, "r1"))))
