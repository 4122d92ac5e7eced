"""
HTTP/2 as the providers' edges speak it: many streams at once, flow control, padding, heads in several frames.

By the library ``h2``, which keeps the books' side apart from ``agent.protocol``.  It is a tool of tests and is not in the image: without it
the server speaks HTTP/1.1 only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated

from agent.demo.provider.exchange import Request

# Every third DATA frame has some.
_PADDING = 23
_PADDED_EVERY = 3

Send = Callable[[bytes, bool], Awaitable[None]]
Answerer = Callable[[Request, Callable[[list[tuple[str, str]]], None], Send], Awaitable[None]]
"""Gets a request, what sends the head, and what sends a piece of the body and says whether it is the last."""


@dataclass(slots=True)
class _Asked:
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    answer: asyncio.Task[None] | None = None


class Http2:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answerer: Answerer) -> None:
        self._reader = reader
        self._writer = writer
        self._answerer = answerer
        self._connection = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._streams: dict[int, _Asked] = {}
        self._window = asyncio.Event()
        self._sent = 0

    async def serve(self) -> None:
        """Until the client goes."""
        self._connection.initiate_connection()
        self._flush()
        try:
            while data := await self._reader.read(65_536):
                for event in self._connection.receive_data(data):
                    self._on(event)
                self._flush()
        finally:
            for asked in self._streams.values():
                if asked.answer is not None:
                    asked.answer.cancel()

    def _on(self, event: object) -> None:
        if isinstance(event, RequestReceived):
            headers = {bytes(name).decode("latin-1"): bytes(value).decode("latin-1") for name, value in event.headers}
            self._streams[event.stream_id] = _Asked(headers)
        elif isinstance(event, DataReceived):
            self._streams[event.stream_id].body += event.data
            self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            asked = self._streams[event.stream_id]
            asked.answer = asyncio.create_task(self._answer(event.stream_id, asked))
        elif isinstance(event, StreamReset):
            gone = self._streams.pop(event.stream_id, None)
            if gone is not None and gone.answer is not None:
                gone.answer.cancel()
        elif isinstance(event, WindowUpdated):
            self._window.set()

    async def _answer(self, stream_id: int, asked: _Asked) -> None:
        headers = asked.headers
        path, _, query = headers[":path"].partition("?")
        request = Request(
            method=headers[":method"],
            host=headers.get(":authority", "").partition(":")[0].lower(),
            path=path,
            query=query,
            headers=headers,
            body=bytes(asked.body),
        )

        def head(lines: list[tuple[str, str]]) -> None:
            self._connection.send_headers(stream_id, lines)
            self._flush()

        async def send(data: bytes, last: bool) -> None:
            await self._send(stream_id, data, last)

        await self._answerer(request, head, send)
        self._streams.pop(stream_id, None)

    async def _send(self, stream_id: int, data: bytes, last: bool) -> None:
        while True:
            self._sent += 1
            padding = _PADDING if self._sent % _PADDED_EVERY == 0 else None
            room = self._connection.local_flow_control_window(stream_id) - (padding or 0) - 1
            size = min(room, self._connection.max_outbound_frame_size - 256, len(data))
            if size <= 0 and data:
                self._window.clear()
                await self._window.wait()
                continue
            part, data = data[:size], data[size:]
            self._connection.send_data(stream_id, part, end_stream=last and not data, pad_length=padding)
            self._flush()
            await self._writer.drain()
            if not data:
                return

    def _flush(self) -> None:
        self._writer.write(self._connection.data_to_send())
