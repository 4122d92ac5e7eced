"""What is known of a call whose path and host were said before we came: all that the bodies say, and that it comes from there."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

from agent.dialects.by_body import GUESSED, REMARK, ByBody
from agent.model import Call, Evidence, Judgement, RequestHead, ResponseHead, Unsupported
from agent.pipeline.exchange import Exchange
from agent.pipeline.pipeline import BY_SERVER_NAME
from tests.corpus import EXCHANGES
from tests.dialects.test_golden import FILES, answer_of
from tests.exchanges import CHAT_ANSWER, CONN, Wire, pipeline, request, response
from tests.pipeline.test_connection import verdicts
from tests.protocol.http2_talk import Talk

APIS = {
    "anthropic/messages",
    "bedrock/converse",
    "gemini/generateContent",
    "openai/chat",
    "openai/completions",
    "openai/embeddings",
    "openai/responses",
}
# What bodies alone do not say.
IN_HEADS = {
    "fireworks_cached_in_a_header": "cached tokens stand in the answer's head",
    "voyage_of_pictures": "its embeddings have no type, so the answer has no API's shape",
}
GOLDEN = [
    (path, golden)
    for path, golden in ((path, json.loads(path.read_text("utf-8"))) for path in FILES)
    if golden["expected"]["api"] in APIS
    and path.parent.name != "gemini_grpc"
    and path.stem not in IN_HEADS
    and golden["response"].get("status") == 200
]
HEADLESS = RequestHead(stream_id=1, method="POST", target="", headers={}, http_version="2", missing=True)


class Late:
    """A connection on which everything was said once before we came."""

    def __init__(self, path: str = "/v1/chat/completions", host: str = "api.openai.com", name: str = "") -> None:
        core = pipeline(server_name_of=lambda _: name)
        self.client, self.server, self.wire = Talk(), Talk(), Wire(core)
        self.path, self.host = path, host
        self.client.request(1, path, host)
        self.stream_id = 1

    def call(self, asked: bytes, answer: bytes, status: int = 200) -> Late:
        self.stream_id += 2
        head = self.client.request(self.stream_id, self.path, self.host)
        self.wire.send(head + self.client.data(self.stream_id, asked, end=True))
        head = self.server.response(self.stream_id, status)
        self.wire.receive(head + self.server.data(self.stream_id, answer, end=True))
        return self

    @property
    def one(self) -> Call:
        (call,) = self.wire.calls
        return call


def path_model(golden: dict[str, dict[str, object]]) -> bool:
    """Gemini's, Bedrock's and Azure's requests name the model in the path."""
    named = str(golden["expected"]["api"]).startswith(("gemini/", "bedrock/"))
    return named or "/deployments/" in str(golden["request"]["url"])


@pytest.mark.parametrize(("path", "golden"), GOLDEN, ids=[f"{path.parent.name}/{path.stem}" for path, _ in GOLDEN])
def test_the_bodies_say_what_the_golden_exchange_says(path: Path, golden: dict[str, dict[str, object]]) -> None:
    """API, models, every kind of token, evidence: as with heads; and the remark stands beside them."""
    asked = b"" if golden["request"]["body"] is None else json.dumps(golden["request"]["body"]).encode()
    call = Late().call(asked, answer_of(golden["response"])).one
    expected, reading = golden["expected"], call.reading
    assert (call.api, call.host) == (expected["api"], "")
    assert REMARK in reading.remarks
    usage = {name: value for name, value in expected["usage"].items() if value is not None}  # type: ignore[attr-defined]
    assert {name: getattr(reading.usage, name) for name in usage} == usage
    assert reading.evidence == expected["evidence"]
    if "served_model" in expected:
        assert reading.served_model == (expected["served_model"] or "")
    if "requested_model" in expected and not path_model(golden):
        assert reading.requested_model == (expected["requested_model"] or "")


@pytest.mark.parametrize(
    ("answer", "provider"),
    [
        (CHAT_ANSWER, "openai"),
        (CHAT_ANSWER | {"prompt_filter_results": []}, "azure.ai.openai"),
        (CHAT_ANSWER | {"model": "llama-3.1-8b", "x_groq": {"id": "req"}}, "groq"),
        (CHAT_ANSWER | {"id": "gen-1", "model": "x/y"}, "openrouter"),
        (CHAT_ANSWER | {"model": "deepseek-chat"}, "deepseek"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_provider_is_named_by_signs_and_by_the_models_maker(answer: dict[str, object], provider: str) -> None:
    """What only one provider writes wins."""
    assert Late().call(b"{}", json.dumps(answer).encode()).one.provider == provider


def test_a_model_of_nobody_we_know_has_no_provider_and_is_no_call_of_ours() -> None:
    """As on any host that is unknown: the API's shape is enough to count it, the provider is unknown."""
    call = Late().call(b"{}", json.dumps(CHAT_ANSWER | {"model": "our-own"}).encode()).one
    assert (call.provider, call.reading.evidence) == ("unknown", Evidence.REPORTED)


def test_a_path_that_is_said_anew_decides() -> None:
    """Node's and curl's clients say it each time; the host alone is missing."""
    late = Late("/v1/chat/completions")
    late.path = "/v1/messages"
    answer = {"type": "message", "id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 1, "output_tokens": 2}}
    call = late.call(b'{"model":"claude-x"}', json.dumps(answer).encode()).one
    assert (call.api, call.provider, call.reading.usage.output_tokens) == ("anthropic/messages", "anthropic", 2)


def test_a_host_that_is_said_anew_names_the_provider() -> None:
    """And its other APIs are told, without a path."""
    late = Late("/v1/files", "other.example")
    late.host = "api.openai.com"
    late.call(b"", b'{"data":[]}')
    (told,) = [output for output in late.wire.outputs if isinstance(output, Unsupported)]
    assert (told.provider, told.path, late.wire.calls) == ("openai", "", [])


def test_the_verdict_waits_for_the_answer() -> None:
    """Ours by its body; somebody else's connection is let go after some answers."""
    late = Late().call(b"{}", json.dumps(CHAT_ANSWER).encode())
    assert verdicts(late.wire) == [(Judgement.WATCH, "known_body")]
    other = Late("/orders", "shop.example")
    for _ in range(8):
        other.call(b"{}", b'{"orders":[]}')
    assert verdicts(other.wire) == [(Judgement.IGNORE, "unknown_api")]
    assert other.wire.calls == []


@pytest.mark.corpus
@pytest.mark.skipif(not EXCHANGES.exists(), reason=f"no recorded exchanges here (PODTAB_CORPUS): {EXCHANGES.name}")
def test_recorded_exchanges_without_heads_are_read_exactly_or_not_at_all() -> None:
    """Of those that state usage, five in six; the one difference is a count that its provider's name would explain."""
    read, differ = 0, []
    with gzip.open(EXCHANGES, "rt", encoding="utf-8") as lines:
        recorded = [one for one in map(json.loads, lines) if one["expected"]["usage_state"] == "reported"]
    for one in recorded:
        exchange = Exchange(HEADLESS, dialect=ByBody, provider="unknown", at_ns=1)
        exchange.request_body(base64.b64decode(one["request"]["body_b64"]))
        exchange.request_end(True)
        exchange.response_head(ResponseHead(stream_id=1, status=one["response"]["status"], headers={}), 2)
        exchange.response_body(base64.b64decode(one["response"]["body_b64"]), 3)
        call = exchange.finish(CONN, 0, 4, True)
        if not isinstance(call, Call):
            continue
        read += 1
        stated = {name: count for name, count in one["expected"]["usage"].items() if count is not None}
        if {name: getattr(call.reading.usage, name) for name in stated} != stated:
            differ.append(one["id"].rpartition("/")[2])
    assert read > len(recorded) * 0.8
    assert differ == ["test_openrouter_stream_error.yaml#0"]


@pytest.mark.parametrize(
    ("name", "answer", "provider", "host", "by"),
    [
        ("", {"model": "gpt-4o"}, "openai", "", [GUESSED]),
        ("", {"model": "llama-3.3-70b"}, "unknown", "", []),
        ("api.cerebras.ai", {"model": "llama-3.3-70b"}, "cerebras", "api.cerebras.ai", [BY_SERVER_NAME]),
        ("api.openai.com", {"model": "gpt-4o"}, "openai", "api.openai.com", [BY_SERVER_NAME]),
        ("api.fireworks.ai", {"model": "deepseek-v3"}, "fireworks", "api.fireworks.ai", [BY_SERVER_NAME]),
        ("api.groq.com", {"model": "m", "x_groq": {}}, "groq", "api.groq.com", []),
        ("api.openai.com", {"model": "m", "x_groq": {}}, "groq", "", []),
    ],
)
def test_the_name_that_tls_was_opened_with(
    name: str, answer: dict[str, object], provider: str, host: str, by: list[str]
) -> None:
    """It is better than what a model's name tells, and says so; what the body proves it does not touch, nor what the request says."""
    call = Late(name=name).call(b"{}", json.dumps({**CHAT_ANSWER, **answer}).encode()).one
    assert (call.provider, call.host) == (provider, host)
    assert list(call.reading.remarks) == [REMARK, *by]


def test_what_is_asked_twice_says_the_same() -> None:
    """As of a stream that was cut: whether its own words say that it had ended is asked first."""
    dialect = ByBody(HEADLESS, "unknown")
    dialect.request_body(b"{}", True)
    dialect.document(json.dumps({**CHAT_ANSWER, "model": "gpt-4o"}).encode(), True)
    assert dialect.reading(complete=False, streaming=True).remarks == (REMARK, GUESSED)
    assert dialect.reading(complete=True, streaming=False).remarks == (REMARK, GUESSED)


def test_a_name_is_nothing_to_a_request_that_says_its_host() -> None:
    """The host is what was asked, whatever its TLS was opened with."""
    wire = Wire(pipeline(server_name_of=lambda _: "api.groq.com"))
    (call,) = wire.send(request()).receive(response(CHAT_ANSWER)).calls
    assert (call.provider, call.host, call.server_name) == ("openai", "api.openai.com", "api.groq.com")
    assert BY_SERVER_NAME not in call.reading.remarks
