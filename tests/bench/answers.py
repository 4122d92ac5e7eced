"""Prepared answers in OpenAI's shapes, as the native server wants them: one [u32 length][bytes] for each TLS record."""

from __future__ import annotations

import json
import struct

MODEL = "gpt-4o-mini-2024-07-18"
USAGE = {
    "prompt_tokens": 24,
    "completion_tokens": 300,
    "total_tokens": 324,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: {}\r\nx-request-id: req_bench\r\n{}\r\n\r\n"


def _writes(*parts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def document(size_bytes: int) -> bytes:
    """A whole chat completion, its body about ``size_bytes`` long."""
    body = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1764000000,
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    room = size_bytes - len(json.dumps(body))
    body["choices"][0]["message"]["content"] = ("The quick brown fox. " * (room // 21 + 1))[: max(room, 0)]  # type: ignore[index]
    data = json.dumps(body).encode()
    whole = _HEAD.format("application/json", f"content-length: {len(data)}").encode() + data
    return _writes(*(whole[at : at + 16384] for at in range(0, len(whole), 16384)))


def document_body(size_bytes: int) -> bytes:
    """The JSON alone, for the yardstick that only parses it."""
    return b"".join(read_back(document(size_bytes))).partition(b"\r\n\r\n")[2]


def stream_events(chunks: int) -> list[bytes]:
    """The JSON of each event of a streamed completion: ``chunks`` deltas, then the usage."""

    def event(choices: list[object], usage: object) -> bytes:
        return json.dumps(
            {
                "id": "chatcmpl-bench",
                "object": "chat.completion.chunk",
                "created": 1764000000,
                "model": MODEL,
                "service_tier": "default",
                "system_fingerprint": "fp_bench",
                "choices": choices,
                "usage": usage,
                "obfuscation": "abcdef",
            },
            separators=(",", ":"),
        ).encode()

    delta = [{"index": 0, "delta": {"content": " word"}, "logprobs": None, "finish_reason": None}]
    last = [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    return [event(delta, None) for _ in range(chunks)] + [event(last, None), event([], USAGE)]


def stream(chunks: int) -> bytes:
    """A streamed chat completion: each event is an HTTP chunk in a TLS record of its own."""
    head = _HEAD.format("text/event-stream", "transfer-encoding: chunked").encode()
    events = [_chunk(b"data: " + event + b"\n\n") for event in stream_events(chunks)]
    return _writes(head, *events, _chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")


def read_back(writes: bytes) -> list[bytes]:
    """The TLS records of a prepared answer."""
    parts, at = [], 0
    while at < len(writes):
        (size,) = struct.unpack_from("<I", writes, at)
        parts.append(writes[at + 4 : at + 4 + size])
        at += 4 + size
    return parts
