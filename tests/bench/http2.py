"""
HTTP/2: how fast one direction's reader is next to HTTP/1.1's on the same answers, and what 10,000 streams at once hold.

Pure: no probes.  The answers are streams of small events, in a DATA frame and a chunk each, as providers send them.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable

from agent.model import Body, HttpEvent
from agent.protocol import http1, http2
from agent.protocol.headers import KEPT
from tests.bench.answers import stream_events
from tests.bench.report import Result, median, progress
from tests.exchanges import Wire, pipeline
from tests.protocol.http2_talk import Talk

CHUNKS = 300
ANSWERS = 60
ROUNDS = 7
READ_BYTES = 16 * 1024
STREAMS = 10_000


def run() -> list[Result]:
    progress("HTTP/2: parse throughput, and 10,000 streams at once")
    return [*_throughput(), *_memory()]


def _throughput() -> list[Result]:
    events = [b"data: " + event + b"\n\n" for event in stream_events(CHUNKS)]
    payload_bytes = ANSWERS * sum(map(len, events))
    old = b"".join(_http1(events) for _ in range(ANSWERS))
    talk = Talk()
    new = b"".join(_http2(talk, number, events) for number in range(ANSWERS))
    took: dict[str, list[float]] = {"old": [], "new": []}
    for _ in range(ROUNDS):
        took["old"].append(_timed(_read_http1, old, payload_bytes))
        took["new"].append(_timed(_read_http2, new, payload_bytes))
    seconds = {name: median(values) for name, values in took.items()}
    ratio = seconds["new"] / seconds["old"]
    rate = payload_bytes / seconds["new"] / 1e6
    return [
        Result(
            name="HTTP/2 against HTTP/1.1, the same streams parsed",
            value=ratio,
            unit="×",
            goal=2.0,
            note=f"{rate:.0f} MB/s and {ANSWERS / seconds['new']:,.0f} streams/s of {CHUNKS} events; HTTP/1.1 {payload_bytes / seconds['old'] / 1e6:.0f} MB/s",
            raw={"http2_s": seconds["new"], "http1_s": seconds["old"], "payload_bytes": payload_bytes},
        )
    ]


def _http1(events: list[bytes]) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"


def _http2(talk: Talk, number: int, events: list[bytes]) -> bytes:
    stream_id = 2 * number + 1
    head = talk.head(stream_id, [(":status", "200"), ("content-type", "text/event-stream")])
    frames = b"".join(talk.data(stream_id, event) for event in events)
    return head + frames + talk.data(stream_id, b"", end=True)


def _timed(read: Callable[[bytes], int], data: bytes, payload_bytes: int) -> float:
    began = time.process_time()
    seen = read(data)
    took = time.process_time() - began
    assert seen == payload_bytes, f"{seen} of {payload_bytes} bytes came out"
    return took


def _bytes_of(events: list[HttpEvent]) -> int:
    return sum(len(event.data) for event in events if isinstance(event, Body))


def _read_http1(data: bytes) -> int:
    reader = http1.ResponseReader(KEPT)
    for number in range(ANSWERS):
        reader.expect(number + 1, "POST")
    return sum(_bytes_of(reader.receive(data[at : at + READ_BYTES])) for at in range(0, len(data), READ_BYTES))


def _read_http2(data: bytes) -> int:
    streams, asked = http2.Streams(), Talk()
    requests, reader = http2.RequestReader(streams, KEPT), http2.ResponseReader(streams, KEPT, whole=True)
    requests.receive(asked.preface() + b"".join(asked.request(2 * number + 1, end=True) for number in range(ANSWERS)))
    return sum(_bytes_of(reader.receive(data[at : at + READ_BYTES])) for at in range(0, len(data), READ_BYTES))


def _memory() -> list[Result]:
    core, client, server = pipeline(), Talk(), Talk()
    wire = Wire(core)
    gc.collect()
    tracemalloc.start()
    try:
        wire.send(client.preface())
        for number in range(STREAMS):
            stream_id = 2 * number + 1
            wire.send(client.request(stream_id) + client.data(stream_id, b'{"model":"m","messages":[]}', end=True))
            wire.receive(server.head(stream_id, [(":status", "200"), ("content-type", "text/event-stream")]))
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return [
        Result(
            name=f"memory of {STREAMS:,} streams at once on one connection",
            value=held / 1024**2,
            unit="MiB",
            goal=64,
            note=f"{held / STREAMS / 1024:.1f} KiB a stream, each asked and with the head of its answer",
        )
    ]
