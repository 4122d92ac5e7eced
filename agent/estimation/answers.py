"""
The text of an answer, taken from its chunks as they come, without parsing them: strings that stand behind the keys of an API's deltas.

Inside a JSON string quotes are escaped, so a key that is found is a real one.  What is kept is the text alone, still escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from agent.dialects.bedrock_invoke import vendor_chunk
from agent.dialects.values import items, parse

# 64k tokens are what the longest answers have.  Of more only the length is kept.
MAX_KEPT_BYTES = 256 * 1024
# A whole document is looked through once, at its end, and only where it states no usage.
_MAX_DOCUMENT_BYTES = 4 * 1024 * 1024


def _keys(*names: str) -> re.Pattern[bytes]:
    # The closing quote may be missing: a document that was cut.
    return re.compile(rb'"(?:%b)"\s{0,4}:\s{0,4}"([^"\\]*(?:\\.[^"\\]*)*)' % "|".join(names).encode(), re.DOTALL)


_CHAT = _keys("content", "reasoning_content", "reasoning", "refusal", "arguments")
_TEXT = _keys("text")
_DELTAS: Mapping[str, re.Pattern[bytes]] = MappingProxyType(
    {
        "openai/chat": _CHAT,
        "openai/completions": _keys("text", "value"),  # Writer's word is the second
        "openai/responses": _keys("delta"),
        "anthropic/messages": _keys("text", "thinking", "partial_json"),
        "anthropic/complete": _keys("completion"),
        "gemini/generateContent": _TEXT,
        "gemini/streamGenerateContent": _TEXT,
        "bedrock/converse-stream": _keys("text", "input"),
        # Every vendor's own: Anthropic's, Nova's and Cohere's, Titan's, Llama's.
        "bedrock/invoke-stream": _keys("text", "thinking", "partial_json", "completion", "outputText", "generation"),
        "cohere/chat-v1": _TEXT,
        "cohere/chat-v2": _TEXT,
        "ollama/chat": _keys("content", "thinking"),
        "ollama/generate": _keys("response", "thinking"),
        "llamacpp/completion": _keys("content"),
    }
)


# How nearly every chunk of an API has its text: found without a regular expression, which costs four times as much.
_USUAL: Mapping[str, bytes] = MappingProxyType(
    {
        "openai/chat": b'"content":"',
        "openai/completions": b'"text":"',
        "openai/responses": b'"delta":"',
        "anthropic/messages": b'"text":"',
        "gemini/streamGenerateContent": b'"text": "',
        "bedrock/converse-stream": b'"text":"',
        "ollama/chat": b'"content":"',
        "ollama/generate": b'"response":"',
    }
)
_BACKSLASH = 0x5C

# Whole answers that are written otherwise than their streams.
_DOCUMENTS: Mapping[str, re.Pattern[bytes]] = MappingProxyType(
    {
        "openai/responses": _keys("text", "arguments"),
        "bedrock/converse": _TEXT,
    }
)


def readable(api: str) -> bool:
    """Whether the text of this API's answers can be found."""
    return api in _DELTAS or api in _DOCUMENTS


class AnswerText:
    """The text of one answer."""

    __slots__ = ("_api", "_beyond_bytes", "_find", "_text", "_usual")

    def __init__(self, api: str) -> None:
        self._api = api
        self._find: Callable[[bytes], list[bytes]] = _DELTAS.get(api, _TEXT).findall
        self._usual = _USUAL.get(api, b"")
        self._text = bytearray()
        self._beyond_bytes = 0

    @property
    def held_bytes(self) -> int:
        return len(self._text)

    def item(self, data: bytes) -> None:
        """One chunk of a stream."""
        usual = self._usual
        if usual:
            start = data.find(usual) + len(usual)
            end = data.find(b'"', start)
            # Nothing found, an empty text beside which there may be another, or a quote that is part of the text: look closely.
            if start >= len(usual) and end > start and data[end - 1] != _BACKSLASH and len(self._text) < MAX_KEPT_BYTES:
                self._text += data[start:end]
                return
        elif self._api == "bedrock/invoke-stream":
            data = vendor_chunk(data)
        self._keep(self._find(data))

    def document(self, body: bytes) -> None:
        """An answer that is not streamed."""
        find = _DOCUMENTS[self._api].findall if self._api in _DOCUMENTS else self._find
        self._keep(find(body[:_MAX_DOCUMENT_BYTES]))

    def _keep(self, found: Iterable[bytes]) -> None:
        for text in found:
            if len(self._text) < MAX_KEPT_BYTES:
                self._text += text
            else:
                self._beyond_bytes += len(text)

    def take(self) -> tuple[str, float]:
        """The text that was kept, and by how much the whole is longer (1: it is the whole)."""
        kept = bytes(self._text)
        unescaped = items(parse(b'["' + kept + b'"]'))
        # None where it was cut inside an escape.
        text = unescaped[0] if unescaped and isinstance(unescaped[0], str) else kept.decode("utf-8", "replace")
        return text, 1 + self._beyond_bytes / len(kept) if kept else 1.0
