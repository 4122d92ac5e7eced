"""The fake's Gemini says in every shape what it books."""

import json

import pytest

from agent.demo.books import Tokens
from agent.demo.provider import gemini
from agent.demo.provider.exchange import Draw
from tests.demo.provider.requests import document, events, request

PATH = "/v1beta/models/gemini-2.5-flash:"


def booked_as(usage: dict[str, int]) -> Tokens:
    """Cached inside the prompt, thoughts beside the candidates."""
    cached = usage.get("cachedContentTokenCount", 0)
    return Tokens(
        input=usage["promptTokenCount"] - cached,
        cache_read=cached,
        output=usage["candidatesTokenCount"],
        reasoning=usage.get("thoughtsTokenCount", 0),
    )


@pytest.mark.parametrize("ordinal", range(1, 7))
def test_all_three_shapes_state_what_is_booked(ordinal: int) -> None:
    """A document, server-sent events with CR LF, and a JSON array that grows; only the last chunk counts."""
    whole = gemini.generate(request(PATH + "generateContent"), Draw.of("tests", ordinal))
    sse = gemini.generate(request(PATH + "streamGenerateContent", query="alt=sse"), Draw.of("tests", ordinal))
    array = gemini.generate(request(PATH + "streamGenerateContent"), Draw.of("tests", ordinal))
    chunks = json.loads(b"".join(array.pieces))
    assert b"\r\n\r\n" in sse.pieces[0]
    for last in (document(whole), events(sse.pieces)[-1], chunks[-1]):
        usage = last["usageMetadata"]
        assert booked_as(usage) == whole.served.tokens == sse.served.tokens == array.served.tokens
        assert usage["totalTokenCount"] == sum(
            usage.get(name, 0) for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
        )
    assert len(events(sse.pieces)) == len(chunks)
