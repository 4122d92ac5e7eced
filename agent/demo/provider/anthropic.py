"""
The fake's Anthropic: messages, streamed and not.

Reference: https://docs.claude.com/en/api/messages
``input_tokens`` leaves out what was read from or written to the cache, and a stream's ``message_start`` has a provisional output.
"""

from __future__ import annotations

from typing import Any

from agent.demo.books import Served, Tokens, cost_usd
from agent.demo.provider.exchange import Answer, Draw, Request, dump, event

SERVED_AS = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}


def messages(request: Request, draw: Draw) -> Answer:
    wanted = request.json()
    model = SERVED_AS.get(str(wanted.get("model", "")), str(wanted.get("model", "")))
    tokens = draw.tokens(reasoning=False, cache_write=True)
    streaming = bool(wanted.get("stream"))
    served = Served(
        client=request.client,
        provider="anthropic",
        api="anthropic/messages",
        model=model,
        status=200,
        streaming=streaming,
        tokens=tokens,
        cost_usd=cost_usd(model, tokens),
    )
    tools = wanted.get("tools") or []
    block: dict[str, Any]
    words = draw.words(tokens.output)
    if tools:
        block = {"type": "tool_use", "id": draw.identity("toolu_"), "name": tools[0]["name"], "input": {}}
    else:
        block = {"type": "text", "text": "".join(words)}
    reason = "tool_use" if tools else "end_turn"
    message = {
        "id": draw.identity("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [block],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage(tokens),
    }
    headers = _headers(draw)
    if not streaming:
        return Answer(headers=headers, pieces=[dump(message)], served=served)
    begun = message | {"content": [], "stop_reason": None, "usage": usage(tokens) | {"output_tokens": 1}}
    if tools:
        opening, deltas = block, [{"type": "input_json_delta", "partial_json": part} for part in ("", "{", "}")]
    else:
        opening, deltas = block | {"text": ""}, [{"type": "text_delta", "text": word} for word in words]
    counts = {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write + tokens.cache_write_1h,
        "cache_read_input_tokens": tokens.cache_read,
        "output_tokens": tokens.output,
    }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": opening},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": counts},
        {"type": "message_stop"},
    ]
    pieces = [event(body, body["type"]) for body in events]
    return Answer(media_type="text/event-stream; charset=utf-8", headers=headers, pieces=pieces, served=served)


def usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write + tokens.cache_write_1h,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "output_tokens": tokens.output,
        "service_tier": "standard",
    }


def _headers(draw: Draw) -> dict[str, str]:
    return {
        "request-id": draw.identity("req_"),
        "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
        "anthropic-ratelimit-requests-remaining": "3999",
        # Also on successes: only the status says that a call was refused.
        "retry-after": "41",
    }


def error(request: Request, draw: Draw, *, status: int) -> Answer:
    kind = {429: "rate_limit_error", 404: "not_found_error", 529: "overloaded_error"}.get(status, "api_error")
    served = Served(
        client=request.client,
        provider="anthropic",
        api="anthropic/messages",
        model="",
        status=status,
        streaming=False,
        tokens=None,
        cost_usd=None,
    )
    body = {"type": "error", "error": {"type": kind, "message": "made up by the demo"}}
    headers = _headers(draw) | {"retry-after-ms": "20"}
    return Answer(status=status, headers=headers, pieces=[dump(body)], served=served)
