"""
HTTP/2 over real TLS, by Python's ``h2`` and Node's ``http2``, at the fake provider: many streams at once, streams that are given up, and a
connection that lived before its library was probed.  The provider's books are the truth.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.capture.kernel import Kernel
from agent.capture.ring import Happening
from agent.demo import books
from agent.dialects.by_body import REMARK
from agent.model import Call, Chunk, Closed, Evidence, Outcome, PricedCall
from tests.exchanges import pipeline
from tests.kernel import tls
from tests.kernel.test_websocket import watched
from tests.kernel.tls import Client, Provider

pytestmark = pytest.mark.kernel

FOLDER = Path(__file__).parent
COMMANDS = {
    "python": [sys.executable, str(FOLDER / "http2_client.py")],
    "node": ["node", str(FOLDER / "http2_client.cjs")],
}
AT_ONCE = 40


@pytest.fixture(params=COMMANDS)
def client(request: pytest.FixtureRequest, provider: Provider) -> Iterator[Client]:
    if shutil.which(COMMANDS[request.param][0]) is None:
        pytest.skip("needs Node.js")
    client = Client(COMMANDS[request.param], provider.port)
    yield client
    client.kill()


def calls(happened: list[Happening], pid: int) -> list[Call]:
    core = pipeline()
    mine = [event for event in happened if isinstance(event, Chunk | Closed) and event.conn.pid == pid]
    return [output.call for event in mine for output in core.receive(event) if isinstance(output, PricedCall)]


def tokens(seen: list[Call]) -> Counter[tuple[int | None, int | None, bool]]:
    return Counter(
        (call.reading.usage.input_tokens, call.reading.usage.output_tokens, call.reading.streaming) for call in seen
    )


def served(path: Path, since: int) -> Counter[tuple[int | None, int | None, bool]]:
    rows = books.read(path)[since:]
    return Counter(
        (row.tokens.all_input, row.tokens.all_output, row.streaming) for row in rows if row.tokens is not None
    )


def until_closed(kernel: Kernel, client: Client) -> Callable[[], list[Happening]]:
    return lambda: tls.until(kernel, lambda happened: len(tls.closed(happened, client.pid)) == 1)


def test_every_stream_of_a_real_client_is_a_call(kernel: Kernel, client: Client, provider: Provider) -> None:
    """Many at once, documents and streams: each with exactly the tokens that were served; one that is given up is told as cut."""
    client.say("open", "call 1", "close")  # it has its library now
    since = len(books.read(provider.books))
    with watched(kernel, client):
        client.say("open", f"call {AT_ONCE}", "reset", "close")
        happened = until_closed(kernel, client)()
    seen = calls(happened, client.pid)
    cut = [call for call in seen if call.outcome is Outcome.CUT]
    whole = [call for call in seen if call.outcome is Outcome.OK]
    assert (len(whole), len(cut)) == (AT_ONCE, 1)
    assert cut[0].reading.evidence is not Evidence.REPORTED
    assert tokens(whole) == served(provider.books, since)
    assert {(call.provider, call.api, call.host) for call in seen} == {("openai", "openai/chat", "api.openai.com")}
    assert {call.reading.evidence for call in whole} == {Evidence.REPORTED}


def test_a_connection_from_before_is_read_from_its_next_request_on(
    kernel: Kernel, client: Client, provider: Provider
) -> None:
    """Its names were said before the probes came: API, provider, models and every token come from the bodies, and it says so."""
    client.say("open", "call 3")
    since = len(books.read(provider.books))
    with watched(kernel, client):
        client.say("call 10", "call 4", "close")
        happened = until_closed(kernel, client)()
    seen = calls(happened, client.pid)
    assert tokens(seen) == served(provider.books, since)
    assert len(seen) == 14
    assert {(call.provider, call.api) for call in seen} == {("openai", "openai/chat")}
    assert {call.outcome for call in seen} == {Outcome.OK}
    assert {call.reading.evidence for call in seen} == {Evidence.REPORTED}
    assert {call.host for call in seen} == {""}
    assert all(REMARK in call.reading.remarks for call in seen)
