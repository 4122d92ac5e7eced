"""
gRPC of real clients over real TLS: grpcio with the BoringSSL of its wheel, and google.golang.org/grpc with Go's own.  The provider speaks gRPC by grpcio
too, is watched as well, and its books are the truth.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.capture.ring import Happening
from agent.demo import books
from agent.demo.certificates import make
from agent.dialects.by_body import REMARK
from agent.model import Call, Chunk, Closed, Evidence, Judgement, Outcome, PricedCall, Unsupported, Verdict
from agent.pipeline.pipeline import Output
from tests.exchanges import pipeline
from tests.grpc_hosts import HOSTS, READ_UNITS
from tests.kernel import tls
from tests.kernel.packages import GRPCIO
from tests.kernel.test_websocket import watched
from tests.kernel.tls import Client
from tests.matrix.installing import built, why_not
from tests.matrix.rows import Row

pytestmark = pytest.mark.kernel

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
AT_ONCE = 20
GO = Row(name="go-grpc", stack="", client="", folder="go-grpc", command="")
"""What is built, once, for the coverage matrix."""
VERTEX = "us-central1-aiplatform.googleapis.com"


@dataclass(frozen=True, slots=True)
class Provider:
    pid: int
    port: int
    books: Path
    authority: Path


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder = tmp_path_factory.mktemp("provider")
    made = make(folder, hosts=HOSTS)
    command = [sys.executable, "-m", "tests.grpc_provider"]
    command += ["--certificate", str(made.server), "--books", str(folder / "books.jsonl")]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(GRPCIO.folder())},
    ) as process:
        assert process.stdout
        port = int(process.stdout.readline().removeprefix("ready "))
        yield Provider(process.pid, port, folder / "books.jsonl", made.authority)
        process.communicate()


@pytest.fixture(params=["python", "go"])
def client(request: pytest.FixtureRequest, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("SSL_CERT_FILE", str(provider.authority))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if request.param == "python":
        monkeypatch.setenv("PYTHONPATH", str(GRPCIO.folder()))
        command = [sys.executable, str(FOLDER / "grpc_client.py"), str(provider.authority)]
    else:
        if absent := why_not(GO):
            pytest.skip(absent)
        command = [str(built(GO.folder) / "client")]
    client = Client(command, provider.port)
    yield client
    client.kill()


def outputs(kernel: Kernel, *pids: int) -> list[Output]:
    """The clients have had their answers, so all there is to see is in the ring."""
    happened: list[Happening] = tls.until(kernel, lambda _: False, seconds=0.3)
    core = pipeline()
    mine = [event for event in happened if isinstance(event, Chunk | Closed) and event.conn.pid in pids]
    return [output for event in mine for output in core.receive(event)]


def calls(seen: list[Output]) -> list[Call]:
    return [output.call for output in seen if isinstance(output, PricedCall)]


def whole(seen: list[Output]) -> list[Call]:
    found = [call for call in calls(seen) if call.outcome is Outcome.OK]
    assert {call.reading.evidence for call in found} == {Evidence.REPORTED}
    return found


def figures(seen: list[Call]) -> Counter[tuple[object, ...]]:
    return Counter(
        (
            call.provider,
            call.api,
            call.reading.served_model,
            call.reading.streaming,
            used.input_tokens,
            used.output_tokens,
        )
        for call in seen
        if (used := call.reading.usage)
    )


def booked(provider: Provider) -> list[books.Served]:
    return books.read(provider.books) if provider.books.exists() else []


def served(rows: list[books.Served]) -> Counter[tuple[object, ...]]:
    return Counter(
        (row.provider, row.api, row.model, row.streaming, used and used.all_input, used and used.all_output)
        for row in rows
        if row.status == 200
        for used in [row.tokens]
    )


def test_every_call_of_a_real_client(kernel: Kernel, client: Client, provider: Provider) -> None:
    """One by one and many at once on a connection, compressed and not: each with exactly the tokens that were served."""
    client.say("open")
    since = len(booked(provider))
    with watched(kernel, client):
        client.say("gemini 6", "zipped 2", f"many {AT_ONCE}")
        seen = outputs(kernel, client.pid)
    assert figures(whole(seen)) == served(booked(provider)[since:])
    assert len(calls(seen)) == 8 + AT_ONCE
    assert {call.host for call in calls(seen)} == {VERTEX}
    assert {call.reading.requested_model for call in calls(seen)} == {"gemini-2.5-flash"}


def test_calls_that_fail_say_how(kernel: Kernel, client: Client, provider: Provider) -> None:
    """Refused, broken half way, given up by the client, out of time: none of them is a success, and what both sides stream is told as unread."""
    client.say("open")
    with watched(kernel, client):
        client.say("refuse", "break", "cancel", "deadline", "raw")
        seen = outputs(kernel, client.pid)
    *failed, late = [(call.outcome, call.status, call.reading.evidence) for call in calls(seen)]
    assert failed == [
        (Outcome.RATE_LIMITED, 429, Evidence.NOT_APPLICABLE),
        (Outcome.SERVER_ERROR, 503, Evidence.PARTIAL),
        (Outcome.CUT, 200, Evidence.PARTIAL),
    ]
    # The server keeps the same deadline: its word may come before the client hangs up.
    assert late in [(Outcome.CUT, 0, Evidence.ABSENT), (Outcome.SERVER_ERROR, 504, Evidence.NOT_APPLICABLE)]
    (unread,) = (output for output in seen if isinstance(output, Unsupported))
    assert (unread.provider, unread.reason) == ("gcp.vertex_ai", "unknown_api")


def test_a_channel_from_before_is_read_by_its_messages(kernel: Kernel, client: Client, provider: Provider) -> None:
    """Path and host were said before the probes came: whose it is, the model and every token come from the messages, and it says so."""
    client.say("open", "gemini 3")
    since = len(booked(provider))
    with watched(kernel, client):
        client.say("gemini 6", f"many {AT_ONCE}", "refuse")
        seen = outputs(kernel, client.pid)
    assert figures(whole(seen)) == served(booked(provider)[since:])
    assert len(whole(seen)) == 6 + AT_ONCE
    (refused,) = (call for call in calls(seen) if call.outcome is not Outcome.OK)
    # Both servers say the name of a status anew, so that it is known.
    assert (refused.outcome, refused.provider) == (Outcome.RATE_LIMITED, "gcp.vertex_ai")
    assert all(REMARK in call.reading.remarks for call in calls(seen))


def test_both_ends_are_watched_and_one_counts(kernel: Kernel, client: Client, provider: Provider) -> None:
    """The provider's process has the same TLS: its side of the connection is judged as a server's, and no call is counted twice."""
    client.say("open")
    since = len(booked(provider))
    with watched(kernel, client, provider.pid):
        client.say("gemini 4")
        seen = outputs(kernel, client.pid, provider.pid)
    assert figures(whole(seen)) == served(booked(provider)[since:])
    verdicts = {(output.conn.pid, output.judgement, output.reason) for output in seen if isinstance(output, Verdict)}
    assert verdicts == {
        (client.pid, Judgement.WATCH, "known_host"),
        (provider.pid, Judgement.IGNORE, "server_side"),
    }


@pytest.mark.parametrize("client", ["python"], indirect=True)
def test_other_providers(kernel: Kernel, client: Client, provider: Provider) -> None:
    """xAI's tokens, whole and streamed, and Pinecone's read units."""
    client.say("open")
    since = len(booked(provider))
    with watched(kernel, client):
        client.say("xai 4", "pinecone 3")
        seen = outputs(kernel, client.pid)
    assert figures(whole(seen)) == served(booked(provider)[since:])
    units = [call.reading.usage.read_units for call in calls(seen) if call.provider == "pinecone"]
    assert units == [READ_UNITS] * 3


CHANNELS = 100


@pytest.mark.parametrize("client", ["python"], indirect=True)
def test_channels_end_when_they_are_closed(kernel: Kernel, client: Client, provider: Provider) -> None:
    """A hundred in one process, each asked once and closed: every call is read, every end is seen, and nothing is kept of them."""
    client.say("channels 1")  # by now it has mapped its library
    since = len(booked(provider))
    with watched(kernel, client):
        client.say(f"channels {CHANNELS}")
        happened = tls.until(kernel, lambda _: False, seconds=0.5)
        kept = sum(key.tgid == client.pid for key in kernel._maps.keys("connections"))
    core = pipeline()
    mine = [event for event in happened if isinstance(event, Chunk | Closed) and event.conn.pid == client.pid]
    seen = [output for event in mine for output in core.receive(event)]
    assert len(calls(seen)) == CHANNELS
    assert figures(whole(seen)) == served(booked(provider)[since:])
    assert {event.conn for event in mine if isinstance(event, Closed)} == {event.conn for event in mine}
    assert kept == 0
