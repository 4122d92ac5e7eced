"""
The texts of a request that become its input tokens, and what the API adds to them.

Chat, as OpenAI documents it and 989 recorded calls confirm: three tokens an answer, three a message, its role and content, one for a name;
tools as their signatures.  Other APIs: every text, and nothing added, because nobody has told what is.
Source: https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from agent.dialects.values import Json, items, mapping, parse

# A prompt of more texts or deeper nesting than this is counted so far.
_MAX_TEXTS = 100_000
_MAX_DEPTH = 24

_TOKENS_PER_ANSWER, _TOKENS_PER_MESSAGE, _TOKENS_PER_NAME = 3, 3, 1
# A function's signature; its parameters; each of them; a list of values and each of them.
_TOKENS_PER_TOOL, _TOKENS_FOR_PARAMETERS, _TOKENS_PER_PARAMETER, _TOKENS_PER_VALUE = 7, 3, 3, 3
_TOKENS_FOR_TOOLS, _TOKENS_FOR_VALUES = 12, -3
# OpenAI's for a picture of low detail, and for one of a thousand pixels square, which is what is sent most.
_TOKENS_PER_SMALL_PICTURE, _TOKENS_PER_PICTURE = 85, 765

# Where other APIs keep what a model reads.
_PLACES = (
    "system",
    "systemInstruction",
    "system_instruction",
    "instructions",
    "preamble",
    "messages",
    "contents",
    "content",
    "requests",
    "chat_history",
    "message",
    "input",
    "inputs",
    "inputText",
    "prompt",
    "texts",
    "query",
    "documents",
)
_TOOL_PLACES = ("tools", "toolConfig")
# Of what stands there, what no model reads: sound and pictures, types, identities.
_UNREAD = frozenset(
    [
        "type",
        "id",
        "call_id",
        "tool_call_id",
        "tool_use_id",
        "toolUseId",
        "data",
        "image_url",
        "url",
        "source",
        "bytes",
        "file_data",
        "file_id",
        "filename",
        "format",
        "signature",
        "encrypted_content",
        "status",
        "mimeType",
        "cache_control",
    ]
)
# Parts whose text is all that they are.
_TEXTS = ("text", "input_text", "output_text")
# A file in letters: nobody writes a word of five hundred.
_ENCODED = re.compile(r"[A-Za-z0-9+/=_-]{512,}")


@dataclass(slots=True, kw_only=True)
class Prompt:
    """What is counted of one request."""

    texts: list[str] = field(default_factory=list)
    added_tokens: int = 0
    tools: bool = False
    """Tools are offered, which some vendors explain to the model at length."""
    known: bool = False
    """The way in which this API turns the request into tokens is known: plain chat, legacy completions, embeddings."""


def prompt_of(api: str, body: bytes) -> Prompt | None:
    """None where the body is not what this API asks with."""
    asked = parse(body)
    if not isinstance(asked, dict):
        return None
    prompt = Prompt()
    if api == "openai/chat":
        _chat(asked, prompt)
    elif api == "openai/responses":
        _responses(asked, prompt)
    elif api in ("openai/completions", "openai/embeddings"):
        prompt.known = True
        _plain(asked.get("prompt" if api == "openai/completions" else "input"), prompt)
    else:
        for place in _PLACES:
            prompt.texts += _texts(asked.get(place), prompt, 0)
        # Their names and schemas are read too, so as they were sent.
        tools = [orjson.dumps(asked[place]).decode() for place in _TOOL_PLACES if asked.get(place)]
        prompt.texts += tools
        prompt.tools = bool(tools)
    del prompt.texts[_MAX_TEXTS:]
    return prompt if prompt.texts or prompt.added_tokens else None


def _plain(value: object, prompt: Prompt) -> None:
    """A text, texts, tokens, or lists of tokens."""
    for one in items(value) if isinstance(value, list) else [value]:
        if isinstance(one, str):
            prompt.texts.append(one)
        elif isinstance(one, int):
            prompt.added_tokens += 1
        else:
            prompt.added_tokens += len(items(one))


def _responses(asked: Json, prompt: Prompt) -> None:
    """A chat by other names: a text is a user's message, the instructions are the system's."""
    given = asked.get("input")
    messages: list[object] = [{"role": "user", "content": given}] if isinstance(given, str) else items(given)
    if isinstance(asked.get("instructions"), str):
        messages = [{"role": "system", "content": asked["instructions"]}, *messages]
    tools: list[object] = [{"function": one} for one in items(asked.get("tools"))]
    shape = mapping(mapping(asked.get("text")).get("format"))
    schema = {"json_schema": shape["schema"]} if "schema" in shape else None
    _chat({"messages": messages, "tools": tools, "response_format": schema}, prompt)
    # What was said before is billed again, and stands with the provider alone.
    if asked.get("previous_response_id") or asked.get("conversation") or asked.get("prompt"):
        prompt.known = False


def _chat(asked: Json, prompt: Prompt) -> None:
    prompt.added_tokens = _TOKENS_PER_ANSWER
    prompt.known = True
    for message in items(asked.get("messages")):
        prompt.added_tokens += _TOKENS_PER_MESSAGE
        for name, value in mapping(message).items():
            if name in _UNREAD or value is None:
                continue
            if isinstance(value, str):
                prompt.texts.append(value)
                prompt.added_tokens += _TOKENS_PER_NAME if name == "name" else 0
            elif name == "content":
                prompt.texts += _texts(value, prompt, 0)
            else:
                prompt.known = False
                prompt.texts += _texts(value, prompt, 0)
    tools = items(asked.get("tools")) or [{"function": one} for one in items(asked.get("functions"))]
    if tools:
        prompt.known = False
        prompt.added_tokens += _TOKENS_FOR_TOOLS
        for tool in tools:
            _tool(mapping(mapping(tool).get("function")), prompt)
    shape = asked.get("response_format")
    if isinstance(shape, dict) and "json_schema" in shape:
        prompt.known = False
        prompt.texts.append(orjson.dumps(shape["json_schema"]).decode())


def _tool(function: Json, prompt: Prompt) -> None:
    prompt.added_tokens += _TOKENS_PER_TOOL
    prompt.texts.append(f"{function.get('name', '')}:{function.get('description', '')}")
    properties = mapping(mapping(function.get("parameters")).get("properties"))
    if properties:
        prompt.added_tokens += _TOKENS_FOR_PARAMETERS
    for name, value in properties.items():
        about = mapping(value)
        prompt.added_tokens += _TOKENS_PER_PARAMETER
        prompt.texts.append(f"{name}:{about.get('type', '')}:{about.get('description', '')}")
        values = [str(one) for one in items(about.get("enum"))]
        if values:
            prompt.added_tokens += _TOKENS_FOR_VALUES + _TOKENS_PER_VALUE * len(values)
            prompt.texts += values


def _texts(value: object, prompt: Prompt, depth: int) -> Iterator[str]:
    """Every string below ``value`` that a model reads; pictures by a constant."""
    if isinstance(value, str):
        if value.startswith("data:") or _ENCODED.fullmatch(value):
            prompt.known = False
        else:
            yield value
    elif depth >= _MAX_DEPTH:
        prompt.known = False
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, prompt, depth + 1)
    elif isinstance(value, dict):
        kind = value.get("type")
        if kind is not None and kind not in _TEXTS:
            prompt.known = False
        if kind in ("image_url", "input_image", "image"):
            detail = mapping(value.get("image_url")).get("detail") or value.get("detail")
            prompt.added_tokens += _TOKENS_PER_SMALL_PICTURE if detail == "low" else _TOKENS_PER_PICTURE
            return
        for name, one in value.items():
            if name not in _UNREAD and name != "role":
                yield from _texts(one, prompt, depth + 1)
