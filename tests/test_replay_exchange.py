"""Recorded exchanges as bytes: what another implementation reads in them is what was recorded."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, ResponseReceived, StreamEnded

from agent.model import Direction
from agent.replay_exchange import Framing, exchange_bytes
from tests.dialects.framings import random_sizes

BODY = b"0123456789" * 5000
EXCHANGE: dict[str, Any] = {
    "request": {
        "method": "POST",
        "url": "https://user@api.example:8443/v1/x?a=b",
        "headers": [["Host", "other"], [":authority", "x"], ["X-Long", "v" * 3000], ["Content-Length", "1"]],
        "body_b64": base64.b64encode(BODY).decode(),
    },
    "response": {"status": 404, "headers": [["X-Request-Id", "r"]], "body_b64": base64.b64encode(b"{}").decode()},
}
FRAMINGS = [Framing(http2=True), Framing(http2=True, chunk_sizes=random_sizes(2))]


def read(events: list[Event]) -> tuple[dict[bytes, bytes], bytes]:
    (head,) = [dict(event.headers) for event in events if isinstance(event, RequestReceived | ResponseReceived)]
    assert isinstance(events[-1], StreamEnded)
    return head, b"".join(event.data for event in events if isinstance(event, DataReceived))


@pytest.mark.parametrize("framing", FRAMINGS, ids=["plain", "odd frames"])
def test_http2_is_what_another_implementation_reads(framing: Framing) -> None:
    """Heads, bodies and ends, of both sides, as ``h2`` reads them."""
    (one, sent), (other, received) = exchange_bytes(EXCHANGE, framing)
    assert (one, other) == (Direction.SENT, Direction.RECEIVED)
    server = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    server.initiate_connection()
    head, body = read(server.receive_data(sent))
    assert head == {
        b":method": b"POST",
        b":scheme": b"https",
        b":authority": b"api.example:8443",
        b":path": b"/v1/x?a=b",
        b"x-long": b"v" * 3000,
    }
    assert body == BODY
    client = H2Connection(H2Configuration(header_encoding=None))
    client.initiate_connection()
    client.send_headers(
        1, [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")], end_stream=True
    )
    assert read(client.receive_data(received)) == ({b":status": b"404", b"x-request-id": b"r"}, b"{}")


def test_http1_has_its_own_host_and_framing() -> None:
    """The url's host and a length that fits, whatever was recorded."""
    (_, sent), (_, received) = exchange_bytes(EXCHANGE, Framing())
    assert sent.startswith(b"POST /v1/x?a=b HTTP/1.1\r\n")
    assert b"host: api.example:8443\r\n" in sent
    assert b"content-length: 50000\r\n" in sent
    assert received.endswith(b"content-length: 2\r\n\r\n{}")
