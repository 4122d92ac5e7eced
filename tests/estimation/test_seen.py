"""What is put together from a request and what arrived: filled in where the provider is silent, never over what it stated."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from statistics import quantiles

import pytest

from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.estimation.counting import ByCharacters, Counted, Tokenizer
from agent.estimation.seen import EXPECTED_ERROR, MAX_HELD_BYTES, Seen, countable
from agent.host.tokenizer import Exact
from agent.model import Call, Cost, CostSource, Direction, Estimate, Evidence, Outcome, PricedCall, Reading, Usage
from agent.pipeline.pipeline import Pipeline
from agent.pricing import Pricer
from tests.corpus import needs_corpus
from tests.estimation.measured import errors
from tests.exchanges import Wire, request, response, stream

ASK = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Say hello"}]}
EXACT = Exact()
PRICER = Pricer()


def chunk(text: str = "", reason: str | None = None, **more: object) -> dict[str, object]:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": reason}
    return {"id": "c1", "model": "gpt-4o-mini-2024-07-18", "choices": [choice], **more}


HELLO = [chunk("Hello"), chunk(" there"), chunk("!"), chunk(reason="stop")]


def wire(tokenizer: Tokenizer | None = EXACT) -> Wire:
    return Wire(
        Pipeline(dialects=DIALECTS, provider_of=Providers().provider_of, price=PRICER.price, tokenizer=tokenizer)
    )


def one(made: Wire) -> Call:
    (call,) = made.close().calls
    return call


def test_a_stream_without_usage_is_counted() -> None:
    """3 + 3 + 1 + 2 tokens asked, 3 answered; the cost is ours, and says by evidence that it is no provider's figure."""
    made = wire().send(request(body=ASK)).receive(stream(HELLO))
    reading = one(made).reading
    assert (reading.usage, reading.evidence) == (Usage(input_tokens=9, output_tokens=3), Evidence.ESTIMATED)
    assert reading.estimate == Estimate(
        basis="o200k_base",
        input_error=EXPECTED_ERROR["input"],
        output_error=EXPECTED_ERROR["output"],
        lower_bound=False,
    )
    (priced,) = [output for output in made.outputs if isinstance(output, PricedCall)]
    assert isinstance(priced.cost, Cost)
    # 9 × 0.15 + 3 × 0.60 per million
    assert (priced.cost.total_usd, priced.cost.source) == (Decimal("0.00000315"), CostSource.PRICE_BOOK)


def test_unasked_nothing_is_estimated() -> None:
    """Without a tokenizer such a call has no tokens and evidence absent."""
    reading = one(wire(None).send(request(body=ASK)).receive(stream(HELLO))).reading
    assert (reading.usage, reading.evidence, reading.estimate) == (Usage(), Evidence.ABSENT, None)


def test_what_the_provider_stated_is_left_alone() -> None:
    """Also where it says something else than what we would count; streamed and whole."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    told = [*HELLO, {"id": "c1", "model": "gpt-4o-mini", "choices": [], "usage": usage}]
    for made in (
        wire().send(request(body=ASK)).receive(stream(told)),
        wire().send(request(body=ASK)).receive(response({"id": "c", "model": "m", "choices": [], "usage": usage})),
    ):
        reading = one(made).reading
        assert (reading.usage.input_tokens, reading.usage.output_tokens) == (1000, 500)
        assert (reading.evidence, reading.estimate) == (Evidence.REPORTED, None)


def test_a_cut_stream_is_a_lower_bound() -> None:
    """What was asked is billed whole, of the answer what arrived; more may have been made."""
    whole = stream(HELLO)
    call = one(wire().send(request(body=ASK)).receive(whole[: whole.index(b'"content": "!"')]))
    assert (call.reading.usage, call.outcome) == (Usage(input_tokens=9, output_tokens=2), Outcome.CUT)
    assert call.reading.estimate is not None
    assert call.reading.estimate.lower_bound
    assert call.reading.remarks == ("estimate_is_lower_bound",)


def test_names_of_models_have_any_case() -> None:
    """Hubs write their models' names with capitals."""
    told = [{**one, "model": "mistralai/Mixtral-8x7B-Instruct"} for one in [chunk("word " * 100), chunk(reason="stop")]]
    reading = one(wire().send(request(body=ASK)).receive(stream(told))).reading
    assert reading.usage.output_tokens == pytest.approx(125, abs=2)


def test_hidden_reasoning_is_a_lower_bound() -> None:
    """A model that thinks unseen is billed for far more than can be seen, also where the stream is whole."""
    told = [{**one, "model": "o3-2025-04-16"} for one in HELLO]
    reading = one(wire().send(request(body={**ASK, "model": "o3"})).receive(stream(told))).reading
    assert reading.estimate is not None
    assert (reading.estimate.lower_bound, reading.estimate.output_error) == (True, EXPECTED_ERROR["output_hidden"])


def test_anthropic_opens_with_the_input() -> None:
    """The input is the provider's own count; the placeholder that stands beside it gives way to what arrived."""
    start = {
        "type": "message_start",
        "message": {"id": "m", "model": "claude-sonnet-4-6", "usage": {"input_tokens": 4321, "output_tokens": 1}},
    }
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "one two three four"}}
    sent = request("/v1/messages", "api.anthropic.com", {"model": "claude-sonnet-4-6", "messages": []})
    reading = one(wire().send(sent).receive(stream([start, text], done=False, names=True)[:-5])).reading
    assert (reading.usage.input_tokens, reading.usage.output_tokens) == (4321, round(4 * 1.18))
    assert reading.estimate is not None
    assert (reading.estimate.input_error, reading.estimate.output_error) == (None, EXPECTED_ERROR["output_vendor"])


def test_claudes_frame_and_instructions_for_tools_are_counted() -> None:
    """A stream that was cut before its first event: nine tokens around any prompt, and what Anthropic says of tools."""
    prompt = {"model": "claude-sonnet-4-6", "messages": [{"role": "user", "content": "one two three four"}]}
    counts = []
    for asked in (prompt, {**prompt, "tools": [{"name": "f"}]}):
        sent = request("/v1/messages", "api.anthropic.com", asked)
        reading = one(wire().send(sent).receive(stream([{"type": "ping"}], done=False, names=True)[:-5])).reading
        counts.append(reading.usage.input_tokens)
    assert counts == [round(4 * 1.18) + 9, round((4 + 7) * 1.18) + 9 + 346]


def test_counts_of_every_chunk_are_left_alone() -> None:
    """Gemini's grow with the answer: what was stated last is the provider's word, not ours."""
    body = {
        "candidates": [{"content": {"parts": [{"text": "word " * 50}]}}],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
    }
    path = "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse"
    sent = request(path, "generativelanguage.googleapis.com", {"contents": []})
    reading = one(wire().send(sent).receive(stream([body], done=False)[:-5])).reading
    assert (reading.usage.input_tokens, reading.usage.output_tokens, reading.estimate) == (7, 3, None)
    assert reading.evidence is Evidence.PARTIAL


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/chat/completions", b"<html>busy</html>"),
        ("/v1/chat/completions", {}),
        ("/v1/responses", {"id": "resp_1", "status": "failed", "model": "gpt-4o-mini", "error": None}),
        ("/v1/responses", {"id": "resp_1", "status": "cancelled", "model": "gpt-4o-mini"}),
        ("/v1/embeddings", {"object": "list"}),
    ],
)
def test_what_no_model_answered_is_not_estimated(path: str, answer: object) -> None:
    """A page of apology with status 200, and answers that came to nothing."""
    asked = {**ASK, "input": "Say hello"}
    call = one(wire().send(request(path, body=asked)).receive(response(answer)))
    assert (call.reading.evidence, call.reading.usage) == (Evidence.ABSENT, Usage())


def test_vectors_without_usage_are_counted_by_what_was_asked() -> None:
    """There is no output to count, and none is missing."""
    asked = {"model": "text-embedding-3-small", "input": ["hello world", "hello"]}
    answer = {"object": "list", "data": [{"embedding": [0.1]}], "model": "text-embedding-3-small"}
    reading = one(wire().send(request("/v1/embeddings", body=asked)).receive(response(answer))).reading
    assert (reading.usage, reading.evidence) == (Usage(input_tokens=3), Evidence.ESTIMATED)
    assert reading.estimate is not None
    assert not reading.estimate.lower_bound


@pytest.mark.parametrize("broken", [{"error": {"code": "overloaded"}}, "no answer"])
def test_what_may_not_be_billed_is_not_estimated(broken: object) -> None:
    """Answers that break off with an error, and requests that nobody was seen to answer."""
    made = wire().send(request(body=ASK))
    if isinstance(broken, dict):
        made.receive(stream([chunk("Hello"), broken]))
    call = one(made)
    assert (call.reading.usage, call.reading.evidence) == (Usage(), Evidence.ABSENT)


def test_refusals_are_not_estimated() -> None:
    """A 429 used nothing."""
    call = one(wire().send(request(body=ASK)).receive(response({"error": {"type": "rate_limit"}}, status=429)))
    assert (call.reading.evidence, call.reading.usage) == (Evidence.NOT_APPLICABLE, Usage())


def test_lost_bytes_make_it_a_lower_bound() -> None:
    """A hole in the stream: some of the text is missing, and the estimate says so."""
    whole = stream(HELLO)
    at = whole.index(b" there") - 60
    made = wire().send(request(body=ASK)).receive(whole[:at]).lose(Direction.RECEIVED, 80).receive(whole[at + 80 :])
    reading = one(made).reading
    assert reading.evidence is Evidence.ESTIMATED
    assert reading.estimate is not None
    assert reading.estimate.lower_bound


class Spy:
    """Counts how often, and how much, it is asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def count(self, texts: Sequence[str], encoding: str) -> Counted:
        self.asked.append(sum(len(text) for text in texts))
        return ByCharacters().count(texts, encoding)


def test_who_states_usage_costs_no_counting() -> None:
    """A request is held, not counted, until its answer has said what it used."""
    spy = Spy()
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    told = [*HELLO, {"id": "c1", "model": "gpt-4o-mini", "choices": [], "usage": usage}]
    one(wire(spy).send(request(body=ASK)).receive(stream(told)))
    assert spy.asked == []


def test_large_requests_are_counted_at_once_and_not_held() -> None:
    """Ten thousand streams with long prompts must not fill the memory; what was counted is used at the end."""
    spy, long = Spy(), "word " * MAX_HELD_BYTES
    seen = Seen("openai/chat", spy)
    seen.request(json.dumps({**ASK, "messages": [{"role": "user", "content": long}]}).encode(), complete=True)
    assert (seen.held_bytes, spy.asked) == (0, [len(long) + len("user")])
    absent = Reading(operation="chat", served_model="gpt-4o", evidence=Evidence.ABSENT)
    reading = seen.estimated(absent, complete=True)
    assert (reading.usage.input_tokens or 0) > MAX_HELD_BYTES * 0.8
    assert reading.usage.output_tokens is None
    assert reading.remarks == ("estimate_is_lower_bound", "counted_by_characters")
    # Where the stream opens with the provider's own count, and where no stream was asked for, not even that.
    for api, asked in (("anthropic/messages", {"stream": True}), ("openai/chat", {"stream": False})):
        Seen(api, spy).request(json.dumps({**ASK, **asked, "pad": long}).encode(), complete=True)
    assert len(spy.asked) == 1


def test_what_is_held_is_bounded_and_told() -> None:
    """It is part of what a connection holds, so the memory's bound knows of it."""
    seen = Seen("openai/chat", EXACT)
    seen.request(b"x" * MAX_HELD_BYTES, complete=True)
    assert seen.held_bytes == MAX_HELD_BYTES
    for _ in range(2000):
        seen.item(b'{"content":"' + b"y" * 1000 + b'"}')
    assert seen.held_bytes < MAX_HELD_BYTES + 300 * 1024


def test_only_known_apis_are_counted() -> None:
    """What has no text that we know to find stays unknown; every name is an API's."""
    names = {dialect.api for dialect in DIALECTS}
    assert not countable("openai/images")
    assert {name for name in names if countable(name)} >= {"openai/chat", "anthropic/messages", "ollama/embed"}


def test_the_page_tells_the_same_errors() -> None:
    """docs/accuracy.md, in the order of the table, is what estimates say of themselves."""
    page = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text(encoding="utf-8")
    table = page.partition("## How far off estimates are")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?:input|output|the same) .*?\| \d+ \| \d+ % \| ([\d.]+) \|", table, re.MULTILINE)
    assert sorted(float(row) for row in rows) == sorted(EXPECTED_ERROR.values())


@pytest.mark.parametrize("tokenizer", [EXACT, ByCharacters()], ids=["exact", "by characters"])
@pytest.mark.interpreted
@pytest.mark.corpus
@needs_corpus[1]
def test_the_expected_errors_are_the_measured_ones(tokenizer: Tokenizer) -> None:
    """Nine in ten recorded calls of each kind are within what an estimate says of itself, and it does not claim to be much worse than it is."""
    found: dict[str, list[float]] = {}
    for error in errors(tokenizer):
        found.setdefault(error.kind, []).append(abs(error.relative))
    assert len(found) == len(EXPECTED_ERROR)
    for kind, shares in found.items():
        ninth, claimed = quantiles(shares, n=10)[8], float(kind.split()[1])
        assert ninth <= claimed, (kind, ninth)
        assert claimed <= ninth + 0.27, (kind, ninth)
