"""The fake's OpenAI says in every shape what it books."""

from decimal import Decimal

import pytest

from agent.demo.provider import openai
from tests.demo.provider.requests import DRAW, document, events, request

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-5-mini"])
def test_chat_states_what_is_booked(model: str) -> None:
    """In OpenAI's inclusive sense, under the dated name."""
    answer = openai.chat(request(CHAT, {"model": model}), DRAW)
    stated, booked = document(answer)["usage"], answer.served.tokens
    assert booked is not None
    assert stated["prompt_tokens"] == booked.input + booked.cache_read
    assert stated["prompt_tokens_details"]["cached_tokens"] == booked.cache_read
    assert stated["completion_tokens"] == booked.output + booked.reasoning
    assert stated["total_tokens"] == stated["prompt_tokens"] + stated["completion_tokens"]
    assert document(answer)["model"] == answer.served.model != model


def test_stream_with_usage_has_it_once_at_the_end() -> None:
    """Null in every chunk, then a chunk without choices, then [DONE]."""
    body = {"model": "gpt-4.1", "stream": True, "stream_options": {"include_usage": True}}
    answer = openai.chat(request(CHAT, body), DRAW)
    *before, last = events(answer.pieces)
    assert answer.pieces[-1] == b"data: [DONE]\n\n"
    assert {chunk["usage"] for chunk in before} == {None}
    assert last["choices"] == []
    assert answer.served.tokens is not None
    assert last["usage"]["prompt_tokens"] == answer.served.tokens.all_input


def test_stream_without_usage_is_booked_as_unknown() -> None:
    """No chunk has the key, and the books hold neither tokens nor cost."""
    answer = openai.chat(request(CHAT, {"model": "gpt-4.1", "stream": True}), DRAW)
    assert not any("usage" in chunk for chunk in events(answer.pieces))
    assert (answer.served.tokens, answer.served.cost_usd) == (None, None)


def test_tools_are_called_by_name_in_both_shapes() -> None:
    """Whole in a document; in a stream the name comes in the first fragment only."""
    body = {"model": "gpt-4.1", "tools": [{"type": "function", "function": {"name": "track"}}]}
    message = document(openai.chat(request(CHAT, body), DRAW))["choices"][0]["message"]
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["track"]
    streamed = events(openai.chat(request(CHAT, body | {"stream": True}), DRAW).pieces)
    deltas = [choice["delta"] for chunk in streamed for choice in chunk["choices"]]
    names = [call["function"].get("name") for delta in deltas for call in delta.get("tool_calls", [])]
    assert [name for name in names if name] == ["track"]


@pytest.mark.parametrize("stream", [False, True])
def test_openrouter_states_its_own_cost(stream: bool) -> None:
    """It is what is booked, though no list has it."""
    answer = openai.chat(
        request("/api/v1/chat/completions", {"model": "a/b", "stream": stream}, host="openrouter.ai"), DRAW
    )
    stated = (events(answer.pieces)[-1] if stream else document(answer))["usage"]["cost"]
    assert answer.served.cost_usd == Decimal(str(stated)) > 0
    assert answer.served.provider == "openrouter"


def test_responses_state_usage_in_the_last_event_only() -> None:
    """Created and in progress carry null."""
    answer = openai.responses(request("/v1/responses", {"model": "gpt-5-mini", "stream": True}), DRAW)
    stated = [event for event in events(answer.pieces) if event.get("response", {}).get("usage")]
    assert [event["type"] for event in stated] == ["response.completed"]
    usage, booked = stated[0]["response"]["usage"], answer.served.tokens
    assert booked is not None
    assert usage["output_tokens_details"]["reasoning_tokens"] == booked.reasoning > 0
    assert usage["input_tokens"] == booked.all_input
    whole = openai.responses(request("/v1/responses", {"model": "gpt-5-mini"}), DRAW)
    assert document(whole)["object"] == "response"


@pytest.mark.parametrize("form", ["base64", "float"])
def test_embeddings_have_one_vector_per_input(form: str) -> None:
    """Packed or as numbers, as asked."""
    body = {"model": "text-embedding-3-small", "input": ["a", "b"], "encoding_format": form}
    answer = openai.embeddings(request("/v1/embeddings", body), DRAW)
    vectors = [row["embedding"] for row in document(answer)["data"]]
    assert len(vectors) == 2
    assert all(isinstance(vector, str if form == "base64" else list) for vector in vectors)
    assert answer.served.tokens is not None
    assert document(answer)["usage"]["prompt_tokens"] == answer.served.tokens.input


def test_errors_bill_nothing() -> None:
    """And a 429 says when to come back."""
    answer = openai.error(request(CHAT), DRAW, status=429, api="openai/chat")
    assert answer.headers["retry-after-ms"] == "20"
    assert document(answer)["error"]["code"] == "rate_limit_exceeded"
    assert (answer.served.tokens, answer.served.cost_usd) == (None, None)
