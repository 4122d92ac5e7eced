"""The text of an answer out of its chunks."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.estimation.answers import MAX_KEPT_BYTES, AnswerText, readable

CHUNKS = {
    "openai/chat": {
        "choices": [{"index": 0, "delta": {"content": "TEXT"}, "logprobs": {"content": [{"token": "no"}]}}]
    },
    "openai/completions": {"choices": [{"text": "TEXT", "index": 0, "logprobs": None}], "model": "no"},
    "openai/responses": {"type": "response.output_text.delta", "item_id": "no", "delta": "TEXT", "obfuscation": "no"},
    "anthropic/messages": {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "TEXT"}},
    "gemini/streamGenerateContent": {"candidates": [{"content": {"parts": [{"text": "TEXT"}], "role": "model"}}]},
    "bedrock/converse-stream": {"contentBlockIndex": 0, "delta": {"text": "TEXT"}, "p": "no"},
    "cohere/chat-v2": {"type": "content-delta", "delta": {"message": {"content": {"text": "TEXT"}}}},
    "ollama/chat": {"model": "no", "message": {"role": "assistant", "content": "TEXT"}, "done": False},
    "ollama/generate": {"model": "no", "response": "TEXT", "done": False},
}


def text_of(api: str, *chunks: bytes) -> str:
    answer = AnswerText(api)
    for chunk in chunks:
        answer.item(chunk)
    return answer.take()[0]


@pytest.mark.parametrize("api", CHUNKS)
@pytest.mark.parametrize("spaces", [(",", ":"), (", ", ": ")], ids=["dense", "with spaces"])
def test_the_text_of_a_chunk(api: str, spaces: tuple[str, str]) -> None:
    """Of each API's delta the text, whole, and nothing else of the chunk."""
    assert readable(api)
    hard = 'say "no" \\ to \n日本 🤷'
    chunk = json.dumps(CHUNKS[api], separators=spaces).replace('"TEXT"', json.dumps(hard)).encode()
    assert text_of(api, chunk, chunk) == hard * 2


@given(st.lists(st.text(), max_size=6), st.booleans())
def test_any_text_comes_back(texts: list[str], ascii_only: bool) -> None:
    """Quotes, backslashes, control characters: what was written is what is read."""
    chunks = [
        json.dumps({"choices": [{"delta": {"content": text}}]}, ensure_ascii=ascii_only).encode("utf-8", "replace")
        for text in texts
    ]
    whole = "".join(texts)
    assert text_of("openai/chat", *chunks) == whole.encode("utf-8", "replace").decode()


def test_a_pair_that_was_cut_is_whole_again() -> None:
    """Halves of a surrogate pair in two chunks are one letter."""
    assert text_of("openai/chat", b'{"content":"\\ud83e"}', b'{"content":"\\udd37"}') == "🤷"


def test_bedrock_wraps_what_the_vendor_sends() -> None:
    """Base64 in a string; what is no such chunk has no text."""
    inner = b'{"type":"content_block_delta","delta":{"type":"text_delta","text":"a \\"b\\""}}'
    chunk = b'{"bytes":"' + base64.b64encode(inner) + b'","p":"abcd"}'
    assert text_of("bedrock/invoke-stream", chunk, b'{"bytes":"!', b"{}") == 'a "b"'


def test_writer_streams_values() -> None:
    """The same path as OpenAI's completions, another word."""
    assert text_of("openai/completions", b'{"value":"Sure"}', b'{"value":","}') == "Sure,"


def test_an_empty_text_hides_no_other() -> None:
    """OpenRouter's reasoning stands beside an empty content, a tool's arguments beside none."""
    assert text_of("openai/chat", b'{"delta":{"content":"","reasoning":"why"}}') == "why"
    assert text_of("openai/chat", b'{"delta":{"content":null,"function_call":{"arguments":"{}"}}}') == "{}"


def test_tool_calls_are_output() -> None:
    """Arguments come in pieces of JSON inside strings."""
    chunks = [
        b'{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":"}}]}}]}',
        b'{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}}]}',
    ]
    assert text_of("openai/chat", *chunks) == '{"a":1}'


@pytest.mark.parametrize("cut", range(len(b'{"content":"a\\u00e9b"}')))
def test_half_a_document(cut: int) -> None:
    """What was there counts, also where the cut is inside an escape; never an exception."""
    answer = AnswerText("openai/chat")
    answer.document(b'{"content":"a\\u00e9b"}'[:cut])
    text, longer = answer.take()
    assert longer == 1
    assert text in ("", "a", "aé", "aéb") or text.startswith("a\\")


def test_an_endless_answer_is_held_up_to_a_limit() -> None:
    """Of the rest the length is known, so the whole can be told in proportion."""
    answer = AnswerText("openai/chat")
    for _ in range(3 * MAX_KEPT_BYTES // 1024):
        answer.item(b'{"content":"' + b"x" * 1024 + b'"}')
    text, longer = answer.take()
    assert answer.held_bytes == len(text) == MAX_KEPT_BYTES
    assert longer == 3


@given(st.binary(max_size=200))
def test_garbage_is_no_text_or_some(data: bytes) -> None:
    """Never an exception."""
    for api in CHUNKS:
        answer = AnswerText(api)
        answer.item(data)
        answer.document(data)
        assert isinstance(answer.take()[0], str)
