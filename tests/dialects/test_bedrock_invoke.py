"""InvokeModel: AWS counts where the vendor's body does not."""

from __future__ import annotations

import base64
import json

from agent.model import Evidence, StreamItem
from tests.dialects.helpers import counts, read

HOST = "bedrock-runtime.eu-west-1.amazonaws.com"
CACHED = {
    "x-amzn-bedrock-input-token-count": "4",
    "x-amzn-bedrock-output-token-count": "50",
    "x-amzn-bedrock-cache-read-input-token-count": "100",
    "x-amzn-bedrock-cache-write-input-token-count": "0",
}


def chunk(value: object) -> StreamItem:
    coded = base64.b64encode(json.dumps(value).encode()).decode()
    return StreamItem("chunk", json.dumps({"bytes": coded, "p": "abc"}, separators=(",", ":")).encode())


def test_the_header_input_excludes_what_the_cache_gave() -> None:
    """Ours counts all input."""
    got = read("/model/anthropic.claude/invoke", HOST, answer={}, headers=CACHED)
    assert counts(got) == (104, 50)
    assert got.usage.cache_read_input_tokens == 100


def test_the_body_alone_is_enough() -> None:
    """Each vendor has words of its own."""
    for answer, expected in (
        ({"usage": {"input_tokens": 4, "cache_read_input_tokens": 6, "output_tokens": 2}}, (10, 2)),
        ({"usage": {"inputTokens": 4, "outputTokens": 2, "cacheReadInputTokenCount": 6}}, (10, 2)),
        (
            {"usage": {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 6}}},
            (10, 2),
        ),
        ({"prompt_token_count": 10, "generation_token_count": 2}, (10, 2)),
        ({"inputTextTokenCount": 10, "results": [{"tokenCount": 2}, {"tokenCount": 3}]}, (10, 5)),
        ({"inputTextTokenCount": 10, "embedding": []}, (10, None)),
    ):
        assert counts(read("/model/m/invoke", HOST, answer=answer)) == expected


def test_a_cut_body_keeps_the_headers_count() -> None:
    """It was complete before the body began."""
    got = read("/model/m/invoke", HOST, answer=b'{"id": "x', headers=CACHED, complete=False)
    assert (counts(got), got.evidence) == ((104, 50), Evidence.REPORTED)


def test_the_metrics_of_the_last_chunk_win() -> None:
    """AWS bills by them, also where the vendor's own count differs."""
    items: list[object] = [
        chunk({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 16, "output_tokens": 1}}}),
        chunk({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 133}}),
        chunk(
            {
                "type": "message_stop",
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 16, "outputTokenCount": 97},
            }
        ),
    ]
    got = read("/model/m/invoke-with-response-stream", HOST, items=items)
    assert (counts(got), got.evidence, got.finish_reason) == ((16, 97), Evidence.REPORTED, "end_turn")
    cut = read("/model/m/invoke-with-response-stream", HOST, items=items[:1], complete=False)
    assert (counts(cut), cut.evidence) == ((16, 1), Evidence.PARTIAL)


def test_what_a_guardrail_says_is_no_output() -> None:
    """The model was not asked; the guardrail's own units are billed on top."""
    blocked = {
        "outputText": "Input blocked",
        "totalOutputTextTokenCount": 3,
        "inputTextTokenCount": 6,
        "amazon-bedrock-trace": {
            "guardrail": {
                "input": {"g": {"invocationMetrics": {"usage": {"topicPolicyUnits": 1, "wordPolicyUnits": 0}}}}
            }
        },
    }
    got = read("/model/amazon.titan/invoke-with-response-stream", HOST, items=[chunk(blocked)])
    assert counts(got) == (6, None)
    assert [(extra.kind, extra.usage.guardrail_units) for extra in got.extra_usage] == [
        ("guardrail_topicPolicyUnits", 1)
    ]


def test_broken_base64_is_no_chunk() -> None:
    """Passed over."""
    for data in (b"{}", b'{"bytes":"!!!"}', b'{"bytes":"abc'):
        assert (
            read("/model/m/invoke-with-response-stream", HOST, items=[StreamItem("chunk", data)]).evidence
            is Evidence.ABSENT
        )


def test_an_exception_inside_a_200_stream() -> None:
    """Its word is kept."""
    got = read(
        "/model/m/invoke-with-response-stream", HOST, items=[StreamItem("exception:modelStreamErrorException", b"{}")]
    )
    assert (got.error, got.evidence) == ("modelStreamErrorException", Evidence.NOT_APPLICABLE)
