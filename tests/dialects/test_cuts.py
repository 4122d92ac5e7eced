"""Recorded answers cut short or with a hole: never an exception, and ``reported`` only when the provider's final usage remained."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest

from agent.dialects import DIALECTS
from agent.estimation.counting import ByCharacters, Tokenizer
from agent.model import Chunk, Closed, ConnId, Direction, Evidence, PricedCall, Quarantined, RequestHead
from agent.replay_exchange import Framing, request_bytes, response_bytes
from tests.corpus import EXCHANGES, needs_corpus
from tests.exchanges import pipeline

pytestmark = needs_corpus

_COUNTING = ByCharacters()
FRAMINGS = {
    "content-length": Framing(),
    "chunked": Framing(chunk_sizes=lambda size: [400] * (size // 400 + 1)),
}


def answers(framing: Framing) -> Iterator[tuple[str, bytes, bytes, bool]]:
    """Name, bytes of both directions, and whether it is a stream; of the APIs that are read, and with usage."""
    with gzip.open(EXCHANGES, "rt", encoding="utf-8") as file:
        for line in file:
            exchange = json.loads(line)
            if exchange["expected"]["usage_state"] != "reported":
                continue
            sent = request_bytes(exchange["request"], framing)
            method, target = sent.split(b" ", 2)[:2]
            host = exchange["request"]["url"].split("/")[2]
            head = RequestHead(stream_id=1, method=method.decode(), target=target.decode(), headers={"host": host})
            if any(dialect.accepts(head) for dialect in DIALECTS):
                received = response_bytes(exchange["response"], framing)
                yield exchange["id"], sent, received, exchange["expected"]["streaming"]


def read(sent: bytes, *received: tuple[int, bytes], tokenizer: Tokenizer | None = None) -> PricedCall:
    """``received``: pieces with their positions; between them is a hole."""
    core = pipeline(tokenizer=tokenizer)
    conn = ConnId(pid=1, pointer=1, born_ns=1)
    outputs = []
    for direction, position, data in (
        (Direction.SENT, 0, sent),
        *((Direction.RECEIVED, position, data) for position, data in received),
    ):
        if data:
            piece = Chunk(
                conn=conn, direction=direction, position=position, data=data, at_ns=1, last_at_ns=1, cgroup_id=0
            )
            outputs += core.receive(piece)
    outputs += core.receive(Closed(conn=conn, at_ns=2))
    # Behind a hole the framing may be lost for good: that costs the connection, and what was read before it still counts.
    assert all(output.reason == "protocol_error" for output in outputs if isinstance(output, Quarantined))
    (call,) = [output for output in outputs if isinstance(output, PricedCall)]
    return call


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_every_answer_cut_at_every_tenth(framing: Framing) -> None:
    """What is called reported in a cut answer equals the whole answer's figures, and counting what is missing changes nothing of it."""
    reported = estimated = 0
    for name, sent, received, streaming in answers(framing):
        whole = read(sent, (0, received)).call.reading
        assert whole.evidence is Evidence.REPORTED, name
        tenths = [len(received) * tenth // 10 for tenth in (range(1, 10) if streaming else (3, 9))]
        for end in (*tenths, len(received) - 40, len(received) - 7):
            part = read(sent, (0, received[:end])).call.reading
            counted = read(sent, (0, received[:end]), tokenizer=_COUNTING).call.reading
            if part.evidence is Evidence.REPORTED:
                reported += 1
                assert part.usage == whole.usage, (name, end)
                assert counted == part, (name, end)
            estimated += counted.evidence is Evidence.ESTIMATED
            assert (counted.evidence is Evidence.REPORTED) == (part.evidence is Evidence.REPORTED), (name, end)
            assert (counted.estimate is None) == (counted.evidence is not Evidence.ESTIMATED), (name, end)
    assert reported > 30
    assert estimated > 300


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_every_stream_with_a_hole(framing: Framing) -> None:
    """A dozenth of the bytes is lost, anywhere behind the head: the same law."""
    reported = partial = 0
    for name, sent, received, streaming in answers(framing):
        if not streaming:
            continue
        whole = read(sent, (0, received)).call.reading
        body = received.index(b"\r\n\r\n") + 4
        size = (len(received) - body) // 12 + 1
        for start in range(body, len(received), size):
            part = read(sent, (0, received[:start]), (start + size, received[start + size :])).call.reading
            if part.evidence is Evidence.REPORTED:
                reported += 1
                assert part.usage == whole.usage, (name, start)
            else:
                partial += 1
    assert reported > 100
    assert partial > 100
