"""Recorded streams cut short: never an exception, and ``reported`` only when the provider's final usage was in what remained."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

from agent.model import Chunk, Closed, ConnId, Direction, Evidence, PricedCall, Quarantined
from agent.replay import Framing, request_bytes, response_bytes
from tests.corpus import EXCHANGES, needs_corpus
from tests.exchanges import pipeline

pytestmark = needs_corpus


def streams() -> Iterator[dict[str, object]]:
    with gzip.open(EXCHANGES, "rt", encoding="utf-8") as file:
        for line in file:
            exchange = json.loads(line)
            if exchange["expected"]["streaming"] and exchange["expected"]["usage_state"] == "reported":
                yield exchange


def read(sent: bytes, received: bytes) -> PricedCall | None:
    core = pipeline()
    conn = ConnId(pid=1, pointer=1, born_ns=1)
    outputs = []
    for direction, data in ((Direction.SENT, sent), (Direction.RECEIVED, received)):
        if data:
            outputs += core.receive(
                Chunk(conn=conn, direction=direction, position=0, data=data, at_ns=1, last_at_ns=1, cgroup_id=0)
            )
    outputs += core.receive(Closed(conn=conn, at_ns=2))
    assert not [output for output in outputs if isinstance(output, Quarantined)]
    return next((output for output in outputs if isinstance(output, PricedCall)), None)


def test_every_stream_cut_at_every_tenth() -> None:
    """What is called reported in a cut stream equals the whole stream's figures."""
    cuts = 0
    for exchange in streams():
        framing = Framing(chunk_sizes=lambda size: [400] * (size // 400 + 1))
        sent, received = request_bytes(exchange["request"], framing), response_bytes(exchange["response"], framing)  # type: ignore[arg-type]
        whole = read(sent, received)
        if whole is None:
            continue  # an API that is not read yet
        for tenth in range(1, 10):
            part = read(sent, received[: len(received) * tenth // 10])
            assert part is not None, exchange["id"]
            cuts += 1
            if part.call.reading.evidence is Evidence.REPORTED:
                assert part.call.reading.usage == whole.call.reading.usage, (exchange["id"], tenth)
    assert cuts > 100
