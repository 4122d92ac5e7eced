"""
HTTP over TLS, as much of it as the providers' edges show: HTTP/2 for who offers it (``http2``), else HTTP/1.1 with keep-alive,
content-length and chunked bodies; content codings.

It is written by hand and shares nothing with ``agent.protocol``, which must not be checked against itself.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import TextIO

from agent.demo.books import to_line
from agent.demo.provider.coding import choose, encode
from agent.demo.provider.exchange import Answer, Request
from agent.demo.provider.routes import Routes

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}
# The largest request of our workloads is below 10 kB; more is a mistake in the demo.
MAX_REQUEST_BYTES = 1024 * 1024
# Between two events of a stream, so that they travel in records of their own as tokens do.
EVENT_PAUSE_SECONDS = 0.0005


class Server:
    def __init__(self, books: TextIO) -> None:
        self._books = books
        self._routes = Routes()

    async def start(self, host: str, port: int, certificate: Path | None) -> asyncio.Server:
        """``certificate`` holds the chain and the key; without one it is a model in the cluster that is asked in plain HTTP."""
        context: ssl.SSLContext | None = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            context.set_alpn_protocols(["h2", "http/1.1"] if importlib.util.find_spec("h2") else ["http/1.1"])
        return await asyncio.start_server(self._connection, host, port, ssl=context, backlog=256)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
            if tls is not None and tls.selected_alpn_protocol() == "h2":
                from agent.demo.provider.http2 import Http2

                await Http2(reader, writer, self._http2).serve()
                return
            while (request := await _read(reader)) is not None:
                answer, ordinal = self._routes.answer(request)
                pieces = wire(answer, ordinal, request.headers.get("accept-encoding", ""))
                # Booked before the last event is on its way: who has the whole answer must find it in the books, and an SDK
                # that has read [DONE] hangs up without waiting for the end of the framing.
                booked_at = len(answer.pieces) if answer.is_stream else len(pieces) - 1
                for place, piece in enumerate(pieces):
                    if place == booked_at:
                        self._book(answer, "HTTP/1.1")
                    writer.write(piece)
                    await writer.drain()
                    if answer.is_stream:
                        await asyncio.sleep(EVENT_PAUSE_SECONDS)
                if request.headers.get("connection", "").lower() == "close":
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client went away; what it did not get is not in the books
        finally:
            writer.close()

    async def _http2(
        self,
        request: Request,
        head: Callable[[list[tuple[str, str]]], None],
        send: Callable[[bytes, bool], Awaitable[None]],
    ) -> None:
        answer, ordinal = self._routes.answer(request)
        headers, pieces = _content(answer, ordinal, request.headers.get("accept-encoding", ""))
        head([(":status", str(answer.status)), *headers.items()])
        # Of a coded stream the last piece is the coding's end alone.
        booked_at = len(answer.pieces) - 1
        for place, piece in enumerate(pieces):
            if place == booked_at:
                self._book(answer, "HTTP/2")
            await send(piece, place == len(pieces) - 1)
            if answer.is_stream:
                await asyncio.sleep(EVENT_PAUSE_SECONDS)

    def _book(self, answer: Answer, protocol: str) -> None:
        self._books.write(to_line(replace(answer.served, protocol=protocol)))
        self._books.flush()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """One request, or None where the client has closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    start, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = start.split(" ", 2)
    headers: dict[str, str] = {}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    path, _, query = target.partition("?")
    return Request(
        method=method,
        host=headers.get("host", "").partition(":")[0].lower(),
        path=path,
        query=query,
        headers=headers,
        body=await _body(reader, headers),
    )


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(min(int(headers.get("content-length", "0")), MAX_REQUEST_BYTES))
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(min(size, MAX_REQUEST_BYTES)))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


def wire(answer: Answer, ordinal: int, accepted: str) -> list[bytes]:
    """
    The head and the body, in the pieces to be sent one by one.

    Documents alternate between content-length and chunks of odd sizes; streams are chunked, an event a chunk.
    """
    headers, pieces = _content(answer, ordinal, accepted)
    chunked = answer.is_stream or ordinal % 2 == 0
    if chunked and not answer.is_stream:
        whole = b"".join(pieces)
        step = max(1, min(1021, len(whole) // 3))
        pieces = [whole[at : at + step] for at in range(0, len(whole), step)]
    if chunked:
        headers["transfer-encoding"] = "chunked"
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]
    else:
        headers["content-length"] = str(sum(map(len, pieces)))
    lines = [f"HTTP/1.1 {answer.status} {REASONS[answer.status]}", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return ["\r\n".join(lines).encode("latin-1"), *pieces]


def _content(answer: Answer, ordinal: int, accepted: str) -> tuple[dict[str, str], list[bytes]]:
    coding = choose(accepted, ordinal)
    headers = {"date": formatdate(usegmt=True), "content-type": answer.media_type} | answer.headers
    if coding != "identity":
        headers["content-encoding"] = coding
    return headers, list(filter(None, encode(coding, answer.pieces)))
