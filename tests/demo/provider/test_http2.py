"""The fake over HTTP/2, asked by the library that it answers with: many at once, framed oddly, each in the books."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

from agent.demo import books
from tests.demo.provider.test_server import BODY, Fake
from tests.demo.provider.test_server import fake as fake

HEAD = [
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", "api.openai.com"),
    (":path", "/v1/chat/completions"),
    ("authorization", "Bearer sk-demo-http2"),
]


def asked(fake: Fake, bodies: list[bytes]) -> Iterator[tuple[int, object]]:
    """All at once on one connection; the events of the answers as they come."""
    fake.context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("localhost", fake.port)) as plain,
        fake.context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.selected_alpn_protocol() == "h2"
        talk = H2Connection(H2Configuration(header_encoding="latin-1"))
        talk.initiate_connection()
        for body in bodies:
            stream_id = talk.get_next_available_stream_id()
            talk.send_headers(stream_id, HEAD)
            talk.send_data(stream_id, body, end_stream=True)
        open_streams = len(bodies)
        while open_streams:
            connection.sendall(talk.data_to_send())
            data = connection.recv(65_536)
            assert data, "the server hung up"
            for event in talk.receive_data(data):
                if isinstance(event, DataReceived):
                    talk.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                open_streams -= isinstance(event, StreamEnded)
                if isinstance(event, DataReceived | ResponseReceived):
                    yield event.stream_id, event


def test_many_streams_are_answered_at_once_and_booked(fake: Fake) -> None:
    """Documents and streams, mixed: each answer whole on its own stream, with padding, and each once in the books."""
    before = len(books.read(fake.books))
    bodies = [json.dumps(BODY | {"stream": bool(number % 2)}).encode() for number in range(10)]
    answers: dict[int, bytes] = {}
    order, padded = [], 0
    for stream_id, event in asked(fake, bodies):
        if isinstance(event, DataReceived):
            answers[stream_id] = answers.get(stream_id, b"") + event.data
            padded += event.flow_controlled_length > len(event.data)
            order.append(stream_id)
    assert sorted(answers) == [2 * number + 1 for number in range(10)]
    for stream_id, body in answers.items():
        if stream_id % 4 == 1:
            assert json.loads(body)["object"] == "chat.completion"
        else:
            assert body.endswith(b"data: [DONE]\n\n")
    assert padded
    assert order != sorted(order), "one after another, not at once"
    booked = books.read(fake.books)[before:]
    assert [one.protocol for one in booked] == ["HTTP/2"] * len(bodies)


def test_a_client_that_offers_no_http2_gets_none(fake: Fake) -> None:
    """By ALPN, as at the providers."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("localhost", fake.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.selected_alpn_protocol() is None
