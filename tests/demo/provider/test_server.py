"""The fake as a process, over real TLS on loopback, read with Python's own HTTP client."""

import http.client
import json
import socket
import ssl
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.demo import books
from agent.demo.certificates import make

BODY = {"model": "gpt-4o-mini", "messages": []}
HEADERS = {"host": "api.openai.com", "authorization": "Bearer sk-demo-tests", "accept-encoding": "gzip"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fake:
    port: int
    plain_port: int
    context: ssl.SSLContext
    books: Path


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    folder = tmp_path_factory.mktemp("fake")
    made = make(folder, hosts=["localhost"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        plain_port = probe.getsockname()[1]
    command = [sys.executable, "-m", "agent.demo.provider", "--port", "0", "--plain-port", str(plain_port)]
    command += ["--certificate", str(made.server), "--books", str(folder / "books.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().removeprefix("ready "))
        yield Fake(
            port=port,
            plain_port=plain_port,
            context=ssl.create_default_context(cafile=str(made.authority)),
            books=folder / "books.jsonl",
        )
        process.terminate()
    assert process.returncode == 0


def post(connection: http.client.HTTPSConnection, path: str, body: object) -> tuple[http.client.HTTPResponse, bytes]:
    connection.request("POST", path, json.dumps(body), HEADERS)
    answer = connection.getresponse()
    data = answer.read()
    return answer, zlib.decompress(data, 31) if answer.headers["content-encoding"] == "gzip" else data


def test_one_connection_carries_every_framing(fake: Fake) -> None:
    """Content-length and chunked, plain and gzip, document and stream, on one kept-alive connection; each booked once."""
    before = len(books.read(fake.books))
    connection = http.client.HTTPSConnection("localhost", fake.port, context=fake.context)
    seen = set()
    for _ in range(4):
        answer, data = post(connection, "/v1/chat/completions", BODY)
        seen.add((answer.headers["transfer-encoding"], answer.headers["content-encoding"]))
        assert json.loads(data)["object"] == "chat.completion"
        booked = books.read(fake.books)[-1].tokens
        assert booked is not None
        assert json.loads(data)["usage"]["prompt_tokens"] == booked.all_input
    assert seen >= {("chunked", "gzip"), (None, None)} or seen >= {("chunked", None), (None, "gzip")}
    answer, data = post(connection, "/v1/chat/completions", BODY | {"stream": True})
    assert answer.headers["transfer-encoding"] == "chunked"
    assert data.endswith(b"data: [DONE]\n\n")
    connection.close()
    assert len(books.read(fake.books)) == before + 5


def test_a_model_in_the_cluster_is_asked_in_the_clear(fake: Fake) -> None:
    """The same answers without TLS; the books say what was spoken."""
    connection = http.client.HTTPConnection("localhost", fake.plain_port)
    connection.request("POST", "/v1/chat/completions", json.dumps(BODY), HEADERS)
    assert connection.getresponse().status == 200
    connection.close()
    assert books.read(fake.books)[-1].protocol == "HTTP/1.1"


def test_a_client_that_leaves_early_is_not_booked(fake: Fake) -> None:
    """What nobody got costs nobody; and the server goes on."""
    before = len(books.read(fake.books))
    connection = http.client.HTTPSConnection("localhost", fake.port, context=fake.context)
    connection.putrequest("POST", "/v1/chat/completions", skip_host=True)
    connection.putheader("content-length", "100")
    connection.endheaders(b"{")
    connection.close()
    again = http.client.HTTPSConnection("localhost", fake.port, context=fake.context)
    assert post(again, "/v1/chat/completions", BODY)[0].status == 200
    again.close()
    assert len(books.read(fake.books)) == before + 1
