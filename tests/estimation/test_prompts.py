"""The texts of a request, and what its API adds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toktok import batch_count

from agent.estimation.prompts import prompt_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "messages", "type", "tools", "function", "input", "image_url", "parameters"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


def tokens(api: str, asked: object, encoding: str = "o200k_base") -> int:
    prompt = prompt_of(api, json.dumps(asked).encode())
    assert prompt is not None
    return sum(batch_count(prompt.texts, encoding, 1)) + prompt.added_tokens


def test_plain_chat_is_exact() -> None:
    """Seven tokens around one message; these counts were reported by OpenAI for these requests."""
    ask = {"messages": [{"role": "user", "content": "Tell me a joke about opentelemetry"}]}
    assert tokens("openai/chat", ask, "cl100k_base") == 15
    two = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi", "name": "bo"}]}
    # 3 + (3 + 1 + 3) + (3 + 1 + 1 + 1 + 1)
    assert tokens("openai/chat", two) == 17


def test_responses_are_chats_by_other_names() -> None:
    """A text as input is a user's message, instructions are a system's."""
    chat = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}
    assert tokens("openai/responses", {"instructions": "Be brief.", "input": "Hi"}) == tokens("openai/chat", chat)
    parts = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]
    assert tokens("openai/responses", {"instructions": "Be brief.", "input": parts}) == tokens("openai/chat", chat)


def test_what_was_said_before_is_not_known() -> None:
    """It is billed again, and stands with the provider alone."""
    alone, after = (
        prompt_of("openai/responses", json.dumps({"input": "Hi"} | more).encode())
        for more in ({}, {"previous_response_id": "resp_1"})
    )
    assert alone is not None
    assert after is not None
    assert (alone.known, after.known) == (True, False)


def test_tools_and_pictures_make_it_less_certain() -> None:
    """They are counted, and the way they become tokens is no longer known."""
    tool = {
        "type": "function",
        "function": {
            "name": "f",
            "description": "d",
            "parameters": {"properties": {"a": {"type": "string", "enum": ["x", "y"]}}},
        },
    }
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    plain = tokens("openai/chat", {"messages": messages})
    assert tokens("openai/chat", {"messages": messages, "tools": [tool]}) > plain + 20
    seen = [{"role": "user", "content": [{"type": "text", "text": "Hi"}, picture]}]
    assert tokens("openai/chat", {"messages": seen}) == plain + 85
    for asked in ({"messages": messages, "tools": [tool]}, {"messages": seen}):
        prompt = prompt_of("openai/chat", json.dumps(asked).encode())
        assert prompt is not None
        assert not prompt.known


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQ="}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "text", "text": "A" * 4096},
        {"type": "text", "text": "data:text/plain;base64,SGVsbG8="},
    ],
    ids=["file", "sound", "letters without end", "data url"],
)
def test_files_are_not_read_as_text(part: object) -> None:
    """A megabyte of base64 is no million tokens; how many it is, is not known, and the estimate is no longer of the certain kind."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}]
    prompt = prompt_of("openai/chat", json.dumps({"messages": messages}).encode())
    assert prompt is not None
    assert (prompt.texts, prompt.known) == (["user", "Hi"], False)


@pytest.mark.parametrize(
    ("api", "asked", "texts", "added"),
    [
        ("openai/completions", {"prompt": ["a", "b"]}, ["a", "b"], 0),
        ("openai/embeddings", {"input": [[1, 2, 3], [4]]}, [], 4),
        ("openai/embeddings", {"input": [1, 2]}, [], 2),
        ("anthropic/messages", {"system": "s", "messages": [{"role": "user", "content": "c"}]}, ["s", "c"], 0),
        ("gemini/streamGenerateContent", {"contents": [{"parts": [{"text": "c"}]}]}, ["c"], 0),
        ("bedrock/converse-stream", {"messages": [{"role": "user", "content": [{"text": "c"}]}]}, ["c"], 0),
        ("anthropic/messages", {"messages": [], "tools": [{"name": "f"}]}, ['[{"name":"f"}]'], 0),
        ("ollama/generate", {"model": "llama", "prompt": "p"}, ["p"], 0),
    ],
)
def test_other_apis(api: str, asked: object, texts: list[str], added: int) -> None:
    """Every text that a model reads, tokens that were sent as such, and nothing invented."""
    prompt = prompt_of(api, json.dumps(asked).encode())
    assert prompt is not None
    assert (prompt.texts, prompt.added_tokens) == (texts, added)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b"null", b'{"messages":' + b"[" * 2000])
def test_what_is_no_request_is_not_counted(body: bytes) -> None:
    """Not known is not 0: nothing to count gives nothing, at worst what every answer costs."""
    assert prompt_of("anthropic/messages", body) is None
    prompt = prompt_of("openai/chat", body)
    assert prompt is None or prompt.texts == []


@given(JSON)
def test_any_json(value: object) -> None:
    """Bodies come from pods: no shape of one is an exception."""
    for api in ("openai/chat", "openai/responses", "openai/completions", "openai/embeddings", "anthropic/messages"):
        for asked in (value, {"messages": value, "input": value, "prompt": value, "tools": value}):
            prompt = prompt_of(api, json.dumps(asked).encode())
            assert prompt is None or all(isinstance(text, str) for text in prompt.texts)
