"""
A recorded exchange as the bytes of its connection, HTTP/1.1 or HTTP/2.

Exchanges are recorded without their framing: ``request`` and ``response`` with headers and ``body_b64``.
"""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from agent.model import Direction
from agent.protocol.http2_frames import PREFACE

_FRAMING = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection"})
# RFC 9110, 5.1 and 5.5: what a header's name is made of, and what its value is not.
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# RFC 3986, 2.2: what stands for itself in a target; "%" is part of what was escaped before.
_TARGET = "%/:?#[]@!$&'()*+,;=~"
# RFC 9113, 4.2: what everybody takes.
_FRAME_BYTES = 16_384
# Some frames are padded and heads are cut, as the standard allows.
_PADDED_EVERY = 3
_PADDING = 37
_HEAD_CUT = 24

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How exchanges are put on the wire.  Tests vary it: nothing of it may change what comes out."""

    coding: Callable[[bytes], tuple[str, bytes]] | None = None
    """From a decoded body to its content coding's name and the coded body; None leaves it as recorded."""
    chunk_sizes: Callable[[int], list[int]] | None = None
    """From a body's size to the sizes of its HTTP chunks; None means content-length."""
    http2: bool = False
    """Then ``chunk_sizes`` are those of DATA frames."""
    cuts: Callable[[int], list[int]] | None = None
    """From the size of what one direction says at a time to the sizes of the reads and writes it came in; None means 16 KiB each."""

    extensions: str = ""
    """What client and server of a WebSocket agree on, in their words: ``permessage-deflate; …``."""


def exchange_bytes(exchange: Mapping[str, Mapping[str, object]], framing: Framing) -> list[tuple[Direction, bytes]]:
    """What each side says, in turn."""
    ask, answer = (_http2_request, _http2_response) if framing.http2 else (request_bytes, response_bytes)
    return [
        (Direction.SENT, ask(exchange["request"], framing)),
        (Direction.RECEIVED, answer(exchange["response"], framing)),
    ]


def request_bytes(request: Mapping[str, object], framing: Framing) -> bytes:
    """A recorded request as HTTP/1.1."""
    host = urlsplit(str(request["url"])).netloc.rpartition("@")[2]
    return _message(
        f"{request['method']} {target_of(request['url'])} HTTP/1.1",
        request,
        framing,
        extra=[("host", host)],
        dropped=frozenset({"host"}),
    )


def target_of(url: object) -> str:
    """Recorders mask parts of URLs with whatever they like; on the wire a target is printable ASCII."""
    parts = urlsplit(str(url))
    return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_TARGET)


def response_bytes(response: Mapping[str, object], framing: Framing) -> bytes:
    """A recorded response as HTTP/1.1."""
    return _message(f"HTTP/1.1 {response['status']} Recorded", response, framing, extra=[], dropped=frozenset())


def _message(
    start: str,
    message: Mapping[str, object],
    framing: Framing,
    *,
    extra: Headers,
    dropped: frozenset[str],
) -> bytes:
    headers, body = _content(message, framing, dropped)
    headers += extra
    if framing.chunk_sizes is not None and start.startswith("HTTP/"):
        headers.append(("transfer-encoding", "chunked"))
        body = _chunked(body, framing.chunk_sizes(len(body)))
    else:
        headers.append(("content-length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{start}\r\n{head}\r\n".encode("utf-8", "replace") + body


def _content(message: Mapping[str, object], framing: Framing, dropped: frozenset[str]) -> tuple[Headers, bytes]:
    body = base64.b64decode(str(message["body_b64"]), validate=True)
    headers = [(str(name), str(value)) for name, value in message["headers"]]  # type: ignore[attr-defined]
    headers = [(name, value) for name, value in headers if name.lower() not in _FRAMING | dropped]
    # Recordings of HTTP/2 have names like ":authority", and masks can be anything.
    headers = [(name, value) for name, value in headers if _NAME.fullmatch(name) and not _CONTROL.search(value)]
    # Recorded framing need not fit the body: the coding goes by the first bytes.
    coding = "gzip" if body.startswith(b"\x1f\x8b") else ""
    if framing.coding is not None and body:
        coding, body = framing.coding(gzip.decompress(body) if coding else body)
    if coding:
        headers.append(("content-encoding", coding))
    return headers, body


def _chunked(body: bytes, sizes: list[int]) -> bytes:
    parts, at = [], 0
    for size in sizes:
        part = body[at : at + size]
        if part:
            parts.append(b"%x\r\n%s\r\n" % (len(part), part))
        at += len(part)
    return b"".join(parts) + b"0\r\n\r\n"


# ---------------------------------------------------------------------------------------------------------------- HTTP/2


def _http2_request(request: Mapping[str, object], framing: Framing) -> bytes:
    pseudo = [
        (":method", str(request["method"])),
        (":scheme", "https"),
        (":authority", urlsplit(str(request["url"])).netloc.rpartition("@")[2]),
        (":path", target_of(request["url"])),
    ]
    return PREFACE + _http2_message(pseudo, request, framing, frozenset({"host"}))


def _http2_response(response: Mapping[str, object], framing: Framing) -> bytes:
    return _http2_message([(":status", str(response["status"]))], response, framing, frozenset())


def _http2_message(pseudo: Headers, message: Mapping[str, object], framing: Framing, dropped: frozenset[str]) -> bytes:
    headers, body = _content(message, framing, dropped)
    fields = [*pseudo, *((name.lower(), value) for name, value in headers)]
    block = Encoder().encode([(name.encode(), value.encode("utf-8", "replace")) for name, value in fields])
    step = len(block) if len(block) <= _FRAME_BYTES and framing.chunk_sizes is None else _HEAD_CUT
    frames: list[Frame] = [SettingsFrame(0, settings={3: 100}), WindowUpdateFrame(0, 1 << 20)]
    head: Frame = HeadersFrame(1, block[:step])
    frames.append(head)
    frames += [ContinuationFrame(1, block[at : at + _FRAME_BYTES]) for at in range(step, len(block), _FRAME_BYTES)]
    frames[-1].flags.add("END_HEADERS")
    frames += _data_frames(body, framing) if body else []
    (frames[-1] if body else head).flags.add("END_STREAM")
    return b"".join(frame.serialize() for frame in frames)


def _data_frames(body: bytes, framing: Framing) -> list[Frame]:
    wanted = framing.chunk_sizes(len(body)) if framing.chunk_sizes else [len(body)]
    frames: list[Frame] = []
    at = 0
    for size in wanted:
        end = min(at + size, len(body))
        while at < end:
            part = body[at : min(at + _FRAME_BYTES - 256, end)]
            at += len(part)
            frame = DataFrame(1, part)
            if framing.chunk_sizes and len(frames) % _PADDED_EVERY == 0:
                frame.flags.add("PADDED")
                frame.pad_length = _PADDING
                frames.append(PingFrame(0, b"corpus--"))
            frames.append(frame)
    return frames
