"""
The fake's OpenAI: chat completions, responses and embeddings, and OpenRouter, which speaks the same and states the cost.

Reference: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import base64
import struct
from decimal import Decimal
from typing import Any

from agent.demo.books import Served, Tokens, cost_usd
from agent.demo.provider.exchange import Answer, Draw, Request, dump, event

# What an undated name is served as.
SERVED_AS = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
}
# A fixed moment: two runs of the demo serve the same bytes.
CREATED = 1_763_900_000
OPENROUTER = "openrouter.ai"


def chat(request: Request, draw: Draw) -> Answer:
    wanted = request.json()
    model = str(wanted.get("model", ""))
    routed = request.host == OPENROUTER
    served_as = model if routed else SERVED_AS.get(model, model)
    tokens = draw.tokens(reasoning=served_as.startswith("gpt-5"))
    streaming = bool(wanted.get("stream"))
    tells = not streaming or bool((wanted.get("stream_options") or {}).get("include_usage")) or routed
    cost = _routed_cost(tokens) if routed else cost_usd(served_as, tokens)
    usage = chat_usage(tokens) | ({"cost": float(cost or 0), "is_byok": False} if routed else {})
    served = Served(
        client=request.client,
        provider="openrouter" if routed else "openai",
        api="openai/chat",
        model=served_as,
        status=200,
        streaming=streaming,
        tokens=tokens if tells else None,
        cost_usd=cost if tells else None,
    )
    tool = _first_tool(wanted)
    head = {"id": draw.identity("chatcmpl-"), "created": CREATED, "model": served_as, "service_tier": "default"}
    words = draw.words(tokens.output)
    if streaming:
        pieces = _chat_stream(head, words, tool, usage if tells else None, told=tells and not routed)
        return Answer(media_type="text/event-stream", headers=_headers(draw), pieces=pieces, served=served)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(words), "refusal": None, "annotations": []}
    if tool:
        call = {"id": draw.identity("call_"), "type": "function", "function": {"name": tool, "arguments": "{}"}}
        message |= {"content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if tool else "stop"}
    document = head | {"object": "chat.completion", "choices": [choice], "usage": usage}
    return Answer(headers=_headers(draw), pieces=[dump(document)], served=served)


def _routed_cost(tokens: Tokens) -> Decimal:
    """OpenRouter's own word, deliberately off every list: podtab must take the stated cost."""
    return Decimal(tokens.all_input + 4 * tokens.all_output) / 10_000_000


def _chat_stream(
    head: dict[str, Any], words: list[str], tool: str, usage: dict[str, Any] | None, *, told: bool
) -> list[bytes]:
    """``told``: the client asked for usage, so every chunk carries the key, null until the last."""

    def chunk(choices: list[dict[str, Any]], counts: dict[str, Any] | None = None) -> bytes:
        document = head | {"object": "chat.completion.chunk", "choices": choices}
        if told or counts is not None:
            document["usage"] = counts
        return event(document | {"obfuscation": "Xk3vQ"})

    def choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}

    pieces = [chunk([choice({"role": "assistant", "content": "", "refusal": None})])]
    if tool:
        function = {"name": tool, "arguments": ""}
        first = {"index": 0, "id": "call_1", "type": "function", "function": function}
        pieces.append(chunk([choice({"tool_calls": [first]})]))
        pieces += [
            chunk([choice({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})]) for part in ("{", "}")
        ]
    else:
        pieces += [chunk([choice({"content": word})]) for word in words]
    pieces.append(chunk([choice({}, "tool_calls" if tool else "stop")]))
    if usage is not None:
        pieces.append(chunk([], usage))
    return [*pieces, b"data: [DONE]\n\n"]


def responses(request: Request, draw: Draw) -> Answer:
    wanted = request.json()
    model = SERVED_AS.get(str(wanted.get("model", "")), str(wanted.get("model", "")))
    tokens = draw.tokens(reasoning=model.startswith("gpt-5"))
    streaming = bool(wanted.get("stream"))
    served = Served(
        client=request.client,
        provider="openai",
        api="openai/responses",
        model=model,
        status=200,
        streaming=streaming,
        tokens=tokens,
        cost_usd=cost_usd(model, tokens),
    )
    words = draw.words(tokens.output)
    part = {"type": "output_text", "text": "".join(words), "annotations": [], "logprobs": []}
    item = {"id": draw.identity("msg_"), "type": "message", "role": "assistant", "status": "completed"}
    head: dict[str, Any] = {
        "id": draw.identity("resp_"),
        "object": "response",
        "created_at": CREATED,
        "model": model,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "service_tier": "default",
        "error": None,
        "incomplete_details": None,
    }
    begun = head | {"status": "in_progress", "output": [], "usage": None}
    whole = head | {
        "status": "completed",
        "output": [item | {"content": [part]}],
        "usage": responses_usage(tokens),
    }
    if not streaming:
        return Answer(headers=_headers(draw), pieces=[dump(whole)], served=served)
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item | {"content": []}},
        {"type": "response.content_part.added", "part": part | {"text": ""}} | place,
        *({"type": "response.output_text.delta", "delta": word, "logprobs": []} | place for word in words),
        {"type": "response.output_text.done", "text": part["text"], "logprobs": []} | place,
        {"type": "response.content_part.done", "part": part} | place,
        {"type": "response.output_item.done", "output_index": 0, "item": item | {"content": [part]}},
        {"type": "response.completed", "response": whole},
    ]
    pieces = [event(body | {"sequence_number": number}, body["type"]) for number, body in enumerate(events)]
    return Answer(media_type="text/event-stream", headers=_headers(draw), pieces=pieces, served=served)


def embeddings(request: Request, draw: Draw) -> Answer:
    wanted = request.json()
    model = str(wanted.get("model", ""))
    inputs = wanted.get("input", "")
    count = len(inputs) if isinstance(inputs, list) else 1
    tokens = Tokens(input=draw.between(5, 900) * count)
    served = Served(
        client=request.client,
        provider="openai",
        api="openai/embeddings",
        model=model,
        status=200,
        streaming=False,
        tokens=tokens,
        cost_usd=cost_usd(model, tokens),
    )
    usage = {"prompt_tokens": tokens.input, "total_tokens": tokens.input}
    packed = wanted.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(draw, packed=packed)} for index in range(count)
    ]
    document = {"object": "list", "data": data, "model": model, "usage": usage}
    return Answer(headers=_headers(draw), pieces=[dump(document)], served=served)


def _vector(draw: Draw, *, packed: bool) -> str | list[float]:
    numbers = [draw.dice.uniform(-0.1, 0.1) for _ in range(1536)]
    return base64.b64encode(struct.pack("<1536f", *numbers)).decode() if packed else numbers


def chat_usage(tokens: Tokens) -> dict[str, Any]:
    """OpenAI's sense: prompt includes what was cached, completion includes reasoning."""
    return {
        "prompt_tokens": tokens.all_input,
        "completion_tokens": tokens.all_output,
        "total_tokens": tokens.all_input + tokens.all_output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def responses_usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.all_input,
        "input_tokens_details": {"cached_tokens": tokens.cache_read},
        "output_tokens": tokens.all_output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.all_input + tokens.all_output,
    }


def _first_tool(wanted: dict[str, Any]) -> str:
    tools = wanted.get("tools") or [{}]
    return str((tools[0].get("function") or {}).get("name", ""))


def _headers(draw: Draw) -> dict[str, str]:
    return {
        "x-request-id": draw.identity("req_", 32),
        "openai-organization": "demo",
        "openai-processing-ms": str(draw.between(20, 900)),
        "openai-version": "2020-10-01",
        "x-ratelimit-remaining-requests": "9999",
    }


def error(request: Request, draw: Draw, *, status: int, api: str) -> Answer:
    kinds = {429: ("rate_limit_exceeded", "requests"), 404: ("model_not_found", "invalid_request_error")}
    code, kind = kinds.get(status, ("server_error", "server_error"))
    served = Served(
        client=request.client,
        provider="openrouter" if request.host == OPENROUTER else "openai",
        api=api,
        model="",
        status=status,
        streaming=False,
        tokens=None,
        cost_usd=None,
    )
    body = {"error": {"message": "made up by the demo", "type": kind, "param": None, "code": code}}
    waiting = {"retry-after-ms": "20", "retry-after": "1"} if status == 429 else {}
    return Answer(status=status, headers=_headers(draw) | waiting, pieces=[dump(body)], served=served)
