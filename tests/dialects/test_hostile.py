"""Bodies come from pods: whatever they hold, a dialect answers with a reading."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.dialects import DIALECTS
from agent.dialects.base import Dialect
from agent.model import Direction, Evidence, Reading, RequestHead, ResponseHead, StreamItem, Usage
from tests.dialects.talk import Talk
from tests.dialects.test_golden import FILES

_KEYS = st.sampled_from(
    [
        "id",
        "model",
        "usage",
        "choices",
        "delta",
        "message",
        "error",
        "type",
        "name",
        "index",
        "tool_calls",
        "function",
        "content",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "input_tokens",
        "output_tokens",
        "prompt_tokens_details",
        "cached_tokens",
        "response",
        "status",
        "output",
        "usageMetadata",
        "promptTokenCount",
        "candidates",
        "finishReason",
        "parts",
        "functionCall",
        "iterations",
        "cost",
        "cost_in_usd_ticks",
        "server_tool_use",
        "x_groq",
        "tool_usage",
        "image_gen",
        "cache_creation",
        "ephemeral_1h_input_tokens",
        "output_tokens_details",
        "usage_breakdown",
        "models",
        "executed_tools",
        "server_side_tool_usage_details",
        "cost_details",
        "prompt_audio_seconds",
        "promptTokensDetails",
        "modality",
        "tokenCount",
        "groundingMetadata",
        "webSearchQueries",
        "item",
        "inputTokens",
        "outputTokens",
        "cacheDetails",
        "trace",
        "guardrail",
        "inputAssessment",
        "invocationMetrics",
        "contentPolicyUnits",
        "amazon-bedrock-invocationMetrics",
        "inputTokenCount",
        "results",
        "tokenCount",
        "meta",
        "billed_units",
        "search_units",
        "tokens",
        "event_type",
        "done",
        "eval_count",
        "prompt_eval_count",
        "metrics",
        "predict_time",
        "object",
        "details",
        "generated_tokens",
        "input_length",
        "input_token_count",
        "generated_token_count",
        "data",
        "embeddings",
        "step_details",
        "request_counts",
        "seconds",
        "duration",
        "result",
        "custom_id",
        "credits",
        "costDollars",
        "total",
        "session",
        "audio",
        "transcription",
        "status_details",
        "response_id",
        "event_id",
        "input_token_details",
        "cached_tokens_details",
        "serverContent",
        "modelTurn",
        "turnComplete",
        "interrupted",
        "responseTokenCount",
        "totalTokenCount",
        "thoughtsTokenCount",
        "toolCall",
        "functionCalls",
        "setup",
        "toolResponse",
    ]
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["message_start", "message_delta", "response.completed", "response.output_item.done", "tool_use"])
    | st.sampled_from([10**12, 10**12 + 1, 1e300, "9" * 400, "\ud800", "AUDIO", "compaction", "function_call"])
    | st.sampled_from(["response.created", "response.done", "response.create", "session.created", "error"])
    | st.sampled_from(["conversation.item.input_audio_transcription.completed", "mcp_call"])
    | st.sampled_from(["message-end", "stream-end", "thread.run", "thread.run.step", "batch", "tokens", True])
)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)

GOLDEN = [json.loads(path.read_text("utf-8")) for path in FILES]
# A request for each dialect, out of its golden folder: so a new one is tested here without a word.
REQUESTS = [
    RequestHead(stream_id=1, method=golden["request"]["method"], target=url.path, headers={"host": url.netloc})
    for golden in GOLDEN
    for url in [urlsplit(golden["request"]["url"])]
]


def dump(value: object) -> bytes:
    return json.dumps(value).encode()


def fresh(dialect: type[Dialect]) -> Dialect:
    return dialect(next(request for request in REQUESTS if dialect.accepts(request)), "openai")


@pytest.mark.parametrize("dialect", DIALECTS, ids=[dialect.api for dialect in DIALECTS])
@settings(max_examples=60, deadline=None)
@given(
    asked=_JSON,
    answer=_JSON,
    items=st.lists(_JSON, max_size=4),
    status=st.sampled_from([200, 429, 500]),
    complete=st.booleans(),
)
def test_any_json_gives_a_reading(
    dialect: type[Dialect], asked: object, answer: object, items: list[object], status: int, complete: bool
) -> None:
    """No exception, no negative, no usage without a number; names are bounded."""
    one = fresh(dialect)
    one.request_body(dump(asked), True)
    one.response_head(ResponseHead(stream_id=1, status=status, headers={"x-litellm-response-cost": "x"}))
    for item in items:
        kind = item.get("type") if isinstance(item, dict) else ""
        one.item(StreamItem(kind if isinstance(kind, str) else "error", dump(item)))
    one.document(dump(answer), complete)
    _is_sound(one.reading(complete=complete, streaming=bool(items)))


def _is_sound(reading: Reading) -> None:
    for name in reading.usage.__dataclass_fields__:
        value = getattr(reading.usage, name)
        assert value is None or value >= 0
    if reading.evidence is Evidence.REPORTED:
        assert reading.usage != Usage() or reading.extra_usage  # tokens, or what else is counted: Milvus' read units
    if reading.reported_cost_usd is not None:
        assert 0 <= reading.reported_cost_usd < 10**10
    assert repr(reading).encode()
    assert all(
        len(text) <= 256 and text.encode() is not None
        for text in (reading.served_model, reading.response_id, reading.error, *reading.tool_calls)
    )


@pytest.mark.parametrize("dialect", DIALECTS, ids=[dialect.api for dialect in DIALECTS])
@given(body=st.binary(max_size=60), complete=st.booleans())
def test_any_bytes_give_a_reading(dialect: type[Dialect], body: bytes, complete: bool) -> None:
    """Not JSON is not an error of ours."""
    one = fresh(dialect)
    one.request_body(body, complete)
    one.item(StreamItem("", body))
    one.document(body, complete)
    assert one.reading(complete=complete, streaming=False).evidence is not Evidence.REPORTED


SESSIONS = ("/v1/realtime", "/v1/responses", "/ws/x.BidiGenerateContent")
_MESSAGES = _JSON | st.builds(
    lambda kind, rest: {"type": kind, **rest},
    st.sampled_from(["response.created", "response.done", "response.completed", "response.create", "session.update"])
    | st.sampled_from(["error", "conversation.item.input_audio_transcription.completed", "session.created"]),
    st.dictionaries(_KEYS, _JSON, max_size=3),
)


@pytest.mark.parametrize("path", SESSIONS)
@settings(max_examples=150, deadline=None)
@given(said=st.lists(st.tuples(st.sampled_from([*Direction, None]), _MESSAGES), max_size=8))
def test_any_messages_give_sound_turns(path: str, said: list[tuple[Direction | None, object]]) -> None:
    """As any JSON; None is a message that is missing."""
    talk = Talk(path)
    for direction, message in said:
        if direction is None:
            talk.miss(Direction.RECEIVED)
        elif direction is Direction.SENT:
            talk.say(message)
        else:
            talk.hear(message)
    for turn in talk.end().turns:
        _is_sound(turn.reading)
    assert talk.dialect.buffered_bytes <= 1024 * 1024
    assert len(talk.turns) <= 3 * len(said) + 1


@pytest.mark.parametrize("path", SESSIONS)
@given(messages=st.lists(st.binary(max_size=60), max_size=4))
def test_any_messages_of_bytes_are_no_error(path: str, messages: list[bytes]) -> None:
    """Not JSON, of either side."""
    assert all(
        turn.reading.evidence is not Evidence.REPORTED for turn in Talk(path).say(*messages).hear(*messages).turns
    )
