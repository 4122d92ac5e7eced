"""Converse: the input excludes the cache, and each cache counter stands there twice."""

from __future__ import annotations

from agent.model import Evidence, StreamItem
from tests.dialects.helpers import counts, read

HOST = "bedrock-runtime.eu-west-1.amazonaws.com"
PATH = "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.m/converse"


def test_the_model_asked_for_stands_in_the_path() -> None:
    """Escaped; an inference profile is a whole ARN."""
    got = read(PATH, HOST, answer={"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}})
    assert got.requested_model == "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.m"


def test_each_cache_counter_stands_there_twice() -> None:
    """One of them counts."""
    usage = {
        "inputTokens": 10,
        "outputTokens": 5,
        "totalTokens": 145,
        "cacheReadInputTokens": 100,
        "cacheReadInputTokenCount": 100,
        "cacheWriteInputTokens": 30,
        "cacheWriteInputTokenCount": 30,
    }
    got = read(PATH, HOST, answer={"usage": usage})
    assert counts(got) == (140, 5)
    assert (got.usage.cache_read_input_tokens, got.usage.cache_write_input_tokens, got.remarks) == (100, 30, ())


def test_a_stream_without_its_metadata_states_nothing() -> None:
    """It comes last, behind messageStop."""
    got = read(PATH + "-stream", HOST, items=[StreamItem("messageStop", b'{"stopReason":"end_turn"}')], complete=False)
    assert (got.evidence, got.finish_reason) == (Evidence.ABSENT, "end_turn")


def test_a_cut_answer_with_a_guardrails_usage_last_is_not_misread() -> None:
    """The trace's usage is in units of policies."""
    body = b'{"trace":{"guardrail":{"x":{"invocationMetrics":{"usage":{"topicPolicyUnits":1}},'
    assert read(PATH, HOST, answer=body, complete=False).evidence is Evidence.ABSENT


def test_an_error_is_named_by_its_header() -> None:
    """The body has prose alone."""
    got = read(
        PATH, HOST, answer={"message": "x"}, status=400, headers={"x-amzn-errortype": "ValidationException:http://x/"}
    )
    assert (got.error, got.evidence) == ("ValidationException", Evidence.NOT_APPLICABLE)
