"""The fake's Bedrock says in both shapes what it books."""

import json
import struct
import zlib
from typing import Any

import pytest

from agent.demo.books import Tokens
from agent.demo.provider import bedrock
from agent.demo.provider.exchange import Draw
from tests.demo.provider.requests import document, request

PATH = "/model/anthropic.claude-3-haiku-20240307-v1%3A0/"


def booked_as(usage: dict[str, Any]) -> Tokens:
    written = {detail["ttl"]: detail["inputTokens"] for detail in usage["cacheDetails"]}
    assert sum(written.values()) == usage["cacheWriteInputTokens"]
    return Tokens(
        input=usage["inputTokens"],
        cache_read=usage["cacheReadInputTokens"],
        cache_write=written.get("5m", 0),
        cache_write_1h=written.get("1h", 0),
        output=usage["outputTokens"],
    )


def payload(message: bytes) -> dict[str, Any]:
    """Of one message whose lengths and both checksums hold."""
    size, headers, checksum = struct.unpack_from(">III", message)
    assert size == len(message)
    assert checksum == zlib.crc32(message[:8])
    assert struct.unpack(">I", message[-4:])[0] == zlib.crc32(message[:-4])
    loaded = json.loads(message[12 + headers : -4])
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("ordinal", range(1, 7))
def test_both_shapes_state_what_is_booked(ordinal: int) -> None:
    """A document, and an event stream whose last message has the usage; the model is the path's."""
    whole = bedrock.converse(request(PATH + "converse"), Draw.of("tests", ordinal))
    stream = bedrock.converse(request(PATH + "converse-stream"), Draw.of("tests", ordinal))
    assert whole.served.model == stream.served.model == "anthropic.claude-3-haiku-20240307-v1:0"
    assert (whole.is_stream, stream.is_stream) == (False, True)
    events = [payload(piece) for piece in stream.pieces]
    for usage in (document(whole)["usage"], events[-1]["usage"]):
        assert booked_as(usage) == whole.served.tokens == stream.served.tokens
