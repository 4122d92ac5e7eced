"""
The fake's answers through podtab's core, without a kernel: both sides of the demo agree before any probe is involved.

Where this passes and the demo differs, capture or attribution is at fault.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from agent.demo.books import Served, Tokens
from agent.demo.provider.exchange import Request
from agent.demo.provider.routes import Routes
from agent.demo.provider.server import wire
from agent.dialects import DIALECTS
from agent.model import (
    Chunk,
    Closed,
    ConnId,
    Cost,
    CostSource,
    Direction,
    Evidence,
    Outcome,
    PricedCall,
    RequestHead,
    Unpriced,
    Usage,
)
from agent.pipeline.pipeline import Pipeline
from agent.pricing import Pricer

CONN = ConnId(pid=1, pointer=1, born_ns=1)
# Prices have dates; this is one after the demo's list was written.
STARTED_NS = 1_780_000_000 * 10**9
ACCEPTED = "gzip, deflate, br, zstd"
PROVIDERS = {
    "api.openai.com": "openai",
    "openrouter.ai": "openrouter",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
}
GEMINI = "/v1beta/models/gemini-2.5-pro:"
TOLD = {"stream": True, "stream_options": {"include_usage": True}}
# Host, target, body.
CALLS = {
    "chat": ("api.openai.com", "/v1/chat/completions", {"model": "gpt-5-mini"}),
    "chat stream": ("api.openai.com", "/v1/chat/completions", {"model": "gpt-5-mini"} | TOLD),
    "silent stream": ("api.openai.com", "/v1/chat/completions", {"model": "gpt-5-mini", "stream": True}),
    "responses": ("api.openai.com", "/v1/responses", {"model": "gpt-5-mini"}),
    "responses stream": ("api.openai.com", "/v1/responses", {"model": "gpt-5-mini", "stream": True}),
    "embeddings": ("api.openai.com", "/v1/embeddings", {"model": "text-embedding-3-small", "input": ["a", "b"]}),
    "routed": ("openrouter.ai", "/api/v1/chat/completions", {"model": "a/b"}),
    "routed stream": ("openrouter.ai", "/api/v1/chat/completions", {"model": "a/b", "stream": True}),
    "messages": ("api.anthropic.com", "/v1/messages", {"model": "claude-haiku-4-5"}),
    "messages stream": ("api.anthropic.com", "/v1/messages", {"model": "claude-haiku-4-5", "stream": True}),
    "unlisted": ("api.openai.com", "/v1/chat/completions", {"model": "house-model-9000"}),
    "gemini": ("generativelanguage.googleapis.com", GEMINI + "generateContent", {}),
    "gemini sse": ("generativelanguage.googleapis.com", GEMINI + "streamGenerateContent?alt=sse", {}),
    "gemini array": ("generativelanguage.googleapis.com", GEMINI + "streamGenerateContent", {}),
}


def provider_of(request: RequestHead) -> str:
    return PROVIDERS.get(request.host, "unknown")


def play(
    name: str, *, ordinals: Sequence[int], hang_up: bool = False, cut: bool = False, client: str = "tests"
) -> list[tuple[PricedCall, Served]]:
    """The same call several times on one connection; ``hang_up``: the client leaves before the end of the framing, ``cut``: half-way."""
    host, target, asked = CALLS[name]
    path, _, query = target.partition("?")
    pipeline = Pipeline(dialects=DIALECTS, provider_of=provider_of, price=Pricer().price)
    routes = Routes()
    outputs, booked, at, positions = [], [], STARTED_NS, dict.fromkeys(Direction, 0)

    def move(direction: Direction, data: bytes) -> None:
        nonlocal at
        at += 1
        chunk = Chunk(
            conn=CONN,
            direction=direction,
            position=positions[direction],
            data=data,
            at_ns=at,
            last_at_ns=at,
            cgroup_id=1,
        )
        positions[direction] += len(data)
        outputs.extend(pipeline.receive(chunk))

    for _ in ordinals:
        body = json.dumps(asked).encode()
        headers = {"host": host, "authorization": f"Bearer sk-demo-{client}", "content-length": str(len(body))}
        answer, ordinal = routes.answer(
            Request(method="POST", host=host, path=path, query=query, headers=headers, body=body)
        )
        head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        move(Direction.SENT, f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
        pieces = wire(answer, ordinal, ACCEPTED)
        last = len(pieces) // 2 if cut else 1 + len(answer.pieces) if hang_up else None
        for piece in pieces[:last]:
            move(Direction.RECEIVED, piece)
        booked.append(answer.served)
    outputs.extend(pipeline.receive(Closed(conn=CONN, at_ns=at + 1)))
    calls = [output for output in outputs if isinstance(output, PricedCall)]
    return list(zip(calls, booked, strict=True))


def tokens_of(usage: Usage) -> Tokens:
    """OpenTelemetry's inclusive sense, in the books' disjoint parts."""
    read, written = usage.cache_read_input_tokens or 0, usage.cache_write_input_tokens or 0
    hour, reasoning = usage.cache_write_1h_input_tokens or 0, usage.reasoning_output_tokens or 0
    return Tokens(
        input=(usage.input_tokens or 0) - read - written,
        cache_read=read,
        cache_write=written - hour,
        cache_write_1h=hour,
        output=(usage.output_tokens or 0) - reasoning,
        reasoning=reasoning,
    )


@pytest.mark.parametrize("name", [name for name in CALLS if name != "unlisted"])
def test_every_answer_is_read_as_it_was_booked(name: str) -> None:
    """In every content coding and framing that the fake takes turns with: usage, model, provider, API, outcome."""
    for priced, served in play(name, ordinals=range(8)):
        call = priced.call
        assert (call.provider, call.api) == (served.provider, served.api)
        assert call.reading.served_model == served.model
        assert call.reading.streaming == served.streaming
        assert call.outcome is Outcome.OK
        if served.tokens is None:
            assert call.reading.evidence is Evidence.ABSENT
            assert call.reading.usage == Usage()
            assert priced.cost == Unpriced(reason="no_usage")
        else:
            assert call.reading.evidence is Evidence.REPORTED
            assert tokens_of(call.reading.usage) == served.tokens
            assert isinstance(priced.cost, Cost)
            assert priced.cost.total_usd == served.cost_usd


@pytest.mark.parametrize("name", [name for name in CALLS if "stream" in name])
def test_an_sdk_that_hangs_up_after_the_last_event_has_had_it_all(name: str) -> None:
    """OpenAI's synchronous SDK closes after [DONE] and never reads the end of the chunked framing: the call is not cut."""
    ((priced, served),) = play(name, ordinals=[1], hang_up=True)
    call = priced.call
    assert call.outcome is Outcome.OK
    assert call.reading.evidence is (Evidence.ABSENT if served.tokens is None else Evidence.REPORTED)


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_that_stops_half_way_is_cut(name: str) -> None:
    """In every shape; and a provisional count is never taken for the provider's last word."""
    ((priced, _),) = play(name, ordinals=[1], cut=True)
    call = priced.call
    assert call.outcome is Outcome.CUT
    assert call.reading.evidence in (Evidence.ABSENT, Evidence.PARTIAL)


@pytest.mark.parametrize("name", ["routed", "routed stream"])
def test_a_stated_cost_wins(name: str) -> None:
    """To the last digit, and told as the provider's own word."""
    for priced, served in play(name, ordinals=range(4)):
        assert isinstance(priced.cost, Cost)
        assert priced.cost.total_usd == served.cost_usd
        assert priced.cost.source is CostSource.PROVIDER


def test_a_model_on_no_list_is_unpriced() -> None:
    """Its tokens are counted all the same."""
    for priced, served in play("unlisted", ordinals=range(2)):
        assert priced.cost == Unpriced(reason="unknown_model")
        assert served.cost_usd is None
        assert tokens_of(priced.call.reading.usage) == served.tokens


def test_refusals_are_outcomes() -> None:
    """429 and 500, with nothing to bill."""
    seen = play("chat", ordinals=range(6), client="troubled")
    assert [priced.call.outcome for priced, _ in seen] == [
        *(Outcome.OK, Outcome.OK, Outcome.RATE_LIMITED),
        *(Outcome.OK, Outcome.OK, Outcome.SERVER_ERROR),
    ]
    assert {priced.cost for priced, served in seen if served.status != 200} == {Unpriced(reason="not_billed")}
