"""Writes HTTP/2 with hyperframe and hpack's encoder: one direction of a connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from agent.model import EndOfMessage, HttpEvent, Side
from agent.protocol.headers import KEPT
from agent.protocol.http2 import RequestReader, ResponseReader, Streams
from agent.protocol.http2_frames import PREFACE

Headers = Iterable[tuple[str, str]]


class Talk:
    """Every method gives the bytes of one or more frames, in the order in which they are to be sent."""

    def __init__(self) -> None:
        self.encoder = Encoder()

    def preface(self) -> bytes:
        return PREFACE + self.settings()

    def settings(self, values: Mapping[int, int] | None = None) -> bytes:
        return SettingsFrame(0, settings=dict(values or {3: 100, 4: 65535})).serialize()

    def head(
        self,
        stream_id: int,
        headers: Headers,
        *,
        end: bool = False,
        pad: int = 0,
        pieces: int = 1,
        priority: bool = False,
    ) -> bytes:
        block = self.encoder.encode(list(headers))
        step = -(-len(block) // pieces)
        parts = [block[at : at + step] for at in range(0, len(block), step)]
        first = HeadersFrame(stream_id, parts[0])
        if end:
            first.flags.add("END_STREAM")
        if pad:
            first.flags.add("PADDED")
            first.pad_length = pad
        if priority:
            first.flags.add("PRIORITY")
        frames: list[Frame] = [first, *(ContinuationFrame(stream_id, part) for part in parts[1:])]
        frames[-1].flags.add("END_HEADERS")
        return b"".join(frame.serialize() for frame in frames)

    def request(
        self,
        stream_id: int,
        path: str = "/v1/chat/completions",
        host: str = "api.openai.com",
        extra: Headers = (),
        **how: object,
    ) -> bytes:
        headers = [(":method", "POST"), (":scheme", "https"), (":authority", host), (":path", path)]
        return self.head(stream_id, [*headers, ("content-type", "application/json"), *extra], **how)  # type: ignore[arg-type]

    def response(self, stream_id: int, status: int = 200, extra: Headers = (), **how: object) -> bytes:
        headers = [(":status", str(status)), ("content-type", "application/json"), *extra]
        return self.head(stream_id, headers, **how)  # type: ignore[arg-type]

    def data(self, stream_id: int, data: bytes, *, end: bool = False, pad: int = 0) -> bytes:
        frame = DataFrame(stream_id, data)
        if end:
            frame.flags.add("END_STREAM")
        if pad:
            frame.flags.add("PADDED")
            frame.pad_length = pad
        return frame.serialize()

    def promise(self, stream_id: int, promised: int, headers: Headers) -> bytes:
        frame = PushPromiseFrame(stream_id, promised, self.encoder.encode(list(headers)))
        frame.flags.add("END_HEADERS")
        return frame.serialize()

    def reset(self, stream_id: int, code: int = 8) -> bytes:
        return RstStreamFrame(stream_id, code).serialize()

    def goaway(self, last: int, code: int = 0) -> bytes:
        return GoAwayFrame(0, last, code, b"bye").serialize()

    def window(self, stream_id: int = 0) -> bytes:
        return WindowUpdateFrame(stream_id, 65535).serialize()

    def ping(self) -> bytes:
        return PingFrame(0, b"12345678").serialize()

    def priority(self, stream_id: int) -> bytes:
        return PriorityFrame(stream_id).serialize()


def open_streams(count: int) -> tuple[Streams, RequestReader, ResponseReader, Talk, Talk]:
    streams, client, server = Streams(), Talk(), Talk()
    requests, responses = RequestReader(streams, KEPT), ResponseReader(streams, KEPT, whole=True)
    requests.receive(client.preface())
    responses.receive(server.settings())
    for number in range(count):
        requests.receive(client.request(2 * number + 1) + client.data(2 * number + 1, b"{}"))
    return streams, requests, responses, client, server


def ends(events: list[HttpEvent]) -> list[tuple[int, Side, bool, bool]]:
    return [
        (event.stream_id, event.side, event.complete, event.refused)
        for event in events
        if isinstance(event, EndOfMessage)
    ]
