"""
What it costs to understand and price a call, from captured bytes to a priced call, on one core and without a kernel.

The yardstick beside each figure is ``json.loads`` of the same bytes and nothing else, measured in turns with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.host.tokenizer import chosen
from agent.model import Chunk, ConnId, Direction, PricedCall
from agent.pipeline.pipeline import Pipeline
from agent.pricing.engine import Pricer
from tests.bench.answers import document, document_body, read_back, stream, stream_events
from tests.bench.report import Result, median, progress

JSON_BYTES = 2048
CHUNKS = 300
# The ring joins what it finds of one connection, so a node that is busy pays less for each; 1 is a stream whose every chunk comes alone.
CHUNKS_A_DRAIN = (8, 1)
ROUNDS = 15
_BODY = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is the matter?"}]}).encode()
_STREAM_BODY = json.dumps({**json.loads(_BODY), "stream": True, "stream_options": {"include_usage": True}}).encode()
_HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"


def run() -> list[Result]:
    progress("understanding and pricing, without a kernel")
    body = document_body(JSON_BYTES)
    call, call_json = _in_turns(_feed(_BODY, read_back(document(JSON_BYTES))), lambda: json.loads(body), calls=200)
    results = [_result("extract and price a 2 KB JSON call", call, call_json, 150)]
    events, parts = stream_events(CHUNKS), read_back(stream(CHUNKS))
    for together in CHUNKS_A_DRAIN:
        joined = [b"".join(parts[at : at + together]) for at in range(0, len(parts), together)]
        streamed, streamed_json = _in_turns(
            _feed(_STREAM_BODY, joined), lambda: [json.loads(event) for event in events], calls=4
        )
        name = f"extract and price, an SSE chunk of {together} a drain"
        results.append(_result(name, streamed / CHUNKS, streamed_json / CHUNKS, 3))
    return results


def _result(name: str, seconds: float, parse_only: float, goal_us: float) -> Result:
    return Result(
        name=name,
        value=seconds * 1e6,
        unit="µs",
        goal=goal_us,
        note=f"json.loads of the same bytes alone: {parse_only * 1e6:.3g} µs, {seconds / parse_only:.2g} times as much",
        raw={"json_loads_us": parse_only * 1e6},
    )


def _in_turns(ours: Callable[[], object], yardstick: Callable[[], object], calls: int) -> tuple[float, float]:
    """CPU seconds of one call of each, medians."""
    costs: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for what, spent in zip((ours, yardstick), costs, strict=True):
            began = time.process_time()
            for _ in range(calls):
                what()
            spent.append((time.process_time() - began) / calls)
    return median(costs[0]), median(costs[1])


def _feed(request_body: bytes, answer: Sequence[bytes]) -> Callable[[], object]:
    """One more call on a connection that is kept; each part of the answer comes in a drain of its own."""
    core = Pipeline(
        dialects=DIALECTS, provider_of=Providers().provider_of, price=Pricer().price, tokenizer=chosen("auto")
    )
    conn = ConnId(pid=1, pointer=1, born_ns=1)
    positions = {Direction.SENT: 0, Direction.RECEIVED: 0}
    at_ns = 1

    def piece(direction: Direction, data: bytes) -> Chunk:
        nonlocal at_ns
        at_ns += 1000
        position = positions[direction]
        positions[direction] += len(data)
        return Chunk(
            conn=conn, direction=direction, position=position, data=data, at_ns=at_ns, last_at_ns=at_ns, cgroup_id=1
        )

    def feed() -> None:
        outputs = [*core.receive(piece(Direction.SENT, _HEAD.format(len(request_body)).encode() + request_body))]
        for part in answer:
            outputs += core.receive(piece(Direction.RECEIVED, part))
        calls = [output for output in outputs if isinstance(output, PricedCall)]
        assert len(calls) == 1, "the cost is of something else"

    return feed
