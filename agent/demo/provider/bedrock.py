"""
The fake's Bedrock: Converse, as a document and as AWS' event stream.

References: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html,
https://smithy.io/2.0/aws/amazon-eventstream.html.  ``inputTokens`` leaves out what was read from or written to the cache.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any
from urllib.parse import unquote

from agent.demo.books import Served, Tokens
from agent.demo.provider.exchange import Answer, Draw, Request, dump

_STRING = 7
"""The type of a header's value."""


def converse(request: Request, draw: Draw) -> Answer:
    _, _, model, operation = request.path.split("/", 3)
    streaming = operation == "converse-stream"
    tokens = draw.tokens(reasoning=False, cache_write=True)
    served = Served(
        client=request.client,
        provider="aws.bedrock",
        api="bedrock/converse",
        model=unquote(model),
        status=200,
        streaming=streaming,
        tokens=tokens,
        cost_usd=None,  # it is on none of the demo's price lists
    )
    words = draw.words(tokens.output)
    headers = {"x-amzn-requestid": draw.identity("", 32)}
    closing = {"usage": usage(tokens), "metrics": {"latencyMs": draw.between(100, 900)}}
    if not streaming:
        message = {"role": "assistant", "content": [{"text": "".join(words)}]}
        document = {"output": {"message": message}, "stopReason": "end_turn"} | closing
        return Answer(headers=headers, pieces=[dump(document)], served=served)
    groups = ["".join(words[at : at + 7]) for at in range(0, len(words), 7)]
    events = [
        ("messageStart", {"role": "assistant"}),
        *(("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}) for text in groups),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", closing),
    ]
    pieces = [framed(name, dump(document)) for name, document in events]
    return Answer(media_type="application/vnd.amazon.eventstream", headers=headers, pieces=pieces, served=served)


def framed(name: str, payload: bytes) -> bytes:
    """One message: prelude and its checksum, headers, payload, checksum of all."""
    headers = b"".join(
        _header(*pair)
        for pair in ((":event-type", name), (":content-type", "application/json"), (":message-type", "event"))
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + struct.pack(">BH", _STRING, len(value)) + value.encode()


def usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "inputTokens": tokens.input,
        "outputTokens": tokens.output,
        "totalTokens": tokens.all_input + tokens.output,
        "cacheReadInputTokens": tokens.cache_read,
        "cacheWriteInputTokens": tokens.cache_write + tokens.cache_write_1h,
        "cacheDetails": [
            {"inputTokens": written, "ttl": ttl}
            for written, ttl in ((tokens.cache_write, "5m"), (tokens.cache_write_1h, "1h"))
            if written
        ],
    }
