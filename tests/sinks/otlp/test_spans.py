"""A ledger entry as a span."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Cost, CostSource, Evidence, ExtraUsage, LedgerEntry, Outcome, Peer, Unpriced, Usage
from agent.sinks.otlp.names import Semconv
from agent.sinks.otlp.spans import Naming, error_type, exact, span_of
from tests.pricing.calls import call
from tests.sinks.entries import USAGE, WEB, entry

CURRENT = Naming(semconv=Semconv.CURRENT)


def test_a_call_is_a_span_of_its_own_time() -> None:
    """Name, times, who, what, tokens and cost, under the conventions' names."""
    one = call(usage=USAGE, requested="gpt-4o-mini", tier="default")
    one = replace(
        one,
        first_token_at_ns=one.started_at_ns + 250_000_000,
        request_id="req-1",
        retry_count=1,
        reading=replace(one.reading, response_id="chatcmpl-1", finish_reason="stop", streaming=True),
    )
    span = span_of(entry(one=one), CURRENT)
    assert (span.name, span.start_ns, span.end_ns) == ("chat gpt-4o-mini", one.started_at_ns, one.ended_at_ns)
    assert not span.failed
    told = {
        name: value
        for name, value in span.attributes.items()
        if not name.startswith(("podtab.cost.", "gen_ai.usage.cost."))
    }
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.request.stream": True,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 200,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.reasoning.output_tokens": 50,
        "openai.response.service_tier": "default",
        "server.address": "api.example.com",
        "http.response.status_code": 200,
        "http.request.resend_count": 1,
        "podtab.api": "openai/chat",
        "podtab.outcome": "ok",
        "podtab.evidence": "reported",
        "podtab.request_id": "req-1",
    }


def test_cost_is_exact_and_also_a_number() -> None:
    """The double is for sums, the text is the amount; classes add up to it."""
    attributes = span_of(
        entry(), Naming(semconv=Semconv.CURRENT, cost_aliases=("gen_ai.usage.cost.amount", "llm.cost.total"))
    ).attributes
    assert (
        attributes["podtab.cost.usd"]
        == attributes["llm.cost.total"]
        == attributes["gen_ai.usage.cost.amount"]
        == 0.00024
    )
    assert attributes["podtab.cost.usd_exact"] == "0.00024"
    assert (attributes["gen_ai.usage.cost.currency"], attributes["gen_ai.usage.cost.source"]) == ("USD", "local")
    assert attributes["podtab.cost.source"] == "price_book"
    parts = [
        attributes.get(f"gen_ai.usage.cost.{word}", 0.0) for word in ("input", "cache_read", "output", "reasoning")
    ]
    assert sum(part for part in parts if isinstance(part, float)) == pytest.approx(0.00024)
    reported = Cost(total_usd=Decimal("1E-30"), lines=(), source=CostSource.PROVIDER, rule="r", price_book="")
    attributes = span_of(replace(entry(), cost=reported), CURRENT).attributes
    assert attributes["podtab.cost.usd_exact"] == "0." + "0" * 29 + "1"
    assert attributes["gen_ai.usage.cost.source"] == "provider"


def test_unknown_is_never_0() -> None:
    """No price: a reason and no cost; no count: no attribute."""
    unpriced = entry(one=call(served="house-model", usage=Usage(), evidence=Evidence.ABSENT))
    attributes = span_of(unpriced, Naming()).attributes
    assert isinstance(unpriced.cost, Unpriced)
    assert attributes["podtab.unpriced.reason"] == unpriced.cost.reason
    assert not [name for name in attributes if "cost" in name or "usage" in name]


def test_an_alias_that_is_not_wanted_is_not_sent() -> None:
    """Without the proposal's name nothing of the proposal is there."""
    attributes = span_of(entry(), Naming(cost_aliases=())).attributes
    assert not [name for name in attributes if name.startswith("gen_ai.usage.cost")]


def test_a_tool_call_is_named_as_the_conventions_name_it() -> None:
    """Method and tool; of a name that is none the method alone."""
    named = span_of(entry(one=call("unknown", "", Usage(), api="mcp/tools", tools={"look_up": 1})), CURRENT)
    assert (named.name, named.attributes["gen_ai.tool.name"]) == ("tools/call look_up", "look_up")
    assert named.attributes["mcp.method.name"] == "tools/call"
    nameless = span_of(entry(one=call("unknown", "", Usage(), api="mcp/tools")), CURRENT)
    assert nameless.name == "tools/call"
    assert "gen_ai.tool.name" not in nameless.attributes


@pytest.mark.parametrize("field", [one.name for one in fields(Usage)])
def test_every_counter_is_exported(field: str) -> None:
    """Also one that is added to the vocabulary tomorrow."""
    attributes = span_of(entry(one=call(usage=replace(Usage(), **{field: 7}))), CURRENT).attributes
    assert [value for name, value in attributes.items() if "usage" in name and "cost" not in name] == [7]


def test_extra_usage_is_told_apart() -> None:
    """What was billed on top is not mixed into the call's own counts."""
    extra = tuple(ExtraUsage(kind="compaction", model="m", usage=Usage(input_tokens=number)) for number in (3, 4))
    attributes = span_of(entry(one=call(extra=extra)), CURRENT).attributes
    assert attributes["podtab.usage.extra_input_tokens"] == 7
    assert "podtab.usage.extra_output_tokens" not in attributes


@pytest.mark.parametrize(
    ("status", "outcome", "error", "said"),
    [
        (429, Outcome.RATE_LIMITED, "rate_limit_exceeded", "rate_limit_exceeded"),
        (503, Outcome.SERVER_ERROR, "", "503"),
        (200, Outcome.CUT, "", "cut"),
        (0, Outcome.CUT, "", "cut"),
        (200, Outcome.SERVER_ERROR, "overloaded_error", "overloaded_error"),
        (200, Outcome.OK, "", ""),
    ],
)
def test_errors_have_a_type(status: int, outcome: Outcome, error: str, said: str) -> None:
    """The provider's word, else the status, else how it ended; a failed span says so; no answer has no status."""
    one = replace(call(), status=status, outcome=outcome)
    one = replace(one, reading=replace(one.reading, error=error))
    span = span_of(entry(one=one), CURRENT)
    assert error_type(one) == said == span.attributes.get("error.type", "")
    assert span.failed == bool(said)
    assert span.attributes.get("http.response.status_code", 0) == status


def test_ids_follow_from_the_call() -> None:
    """The same call has the same ids, so that a repetition is recognised; any other call has others."""
    first = span_of(entry(), CURRENT)
    assert span_of(entry(), Naming()).trace_id == first.trace_id
    others = [
        replace(call(), stream_id=2),
        replace(call(), started_at_ns=5),
        replace(call(), conn=call().conn._replace(born_ns=9)),
    ]
    ids = {first.trace_id} | {span_of(entry(one=one), CURRENT).trace_id for one in others}
    assert len(ids | {span_of(entry(node="other"), CURRENT).trace_id}) == 5
    assert 0 < first.span_id < 2**64
    assert 0 < first.trace_id < 2**128


def test_a_clock_set_back_ends_no_span_before_its_start() -> None:
    """Backends refuse such spans."""
    one = replace(call(), ended_at_ns=1, first_token_at_ns=1)
    span = span_of(entry(one=one), CURRENT)
    assert span.end_ns == span.start_ns
    assert span.attributes["gen_ai.response.time_to_first_chunk"] == 0


@given(text=st.text(max_size=300), number=st.integers())
def test_hostile_values_become_bounded_attributes(text: str, number: int) -> None:
    """Whatever a provider or a pod writes: short printable texts and 64-bit numbers, or a batch could not be encoded."""
    one = call(provider=text, served=text, requested=text, usage=Usage(input_tokens=number), tier=text)
    one = replace(
        one, host=text, request_id=text, reading=replace(one.reading, response_id=text, finish_reason=text, error=text)
    )
    span = span_of(
        LedgerEntry(call=one, cost=Unpriced(reason="unknown_model"), workload=replace(WEB, team=text)), Naming()
    )
    values = [span.name, *span.attributes.values(), *(value for _, value in span.resource)]
    for value in values:
        for part in value if isinstance(value, tuple) else (value,):
            assert not isinstance(part, str) or (len(part) <= 200 and part.isprintable())
            assert isinstance(part, str | float) or -(2**63) <= part < 2**63


def test_exact_amounts() -> None:
    """Plain digits, no exponent, nothing cut."""
    assert [exact(Decimal(text)) for text in ("2.40E-4", "0", "10", "1E+2", "0.10")] == [
        "0.00024",
        "0",
        "10",
        "100",
        "0.1",
    ]


def test_a_peer_is_told_where_it_is_known() -> None:
    """An address and a port; else neither, as a guess would name somebody else."""
    known = span_of(entry(one=replace(call(usage=USAGE), peer=Peer(address="10.0.0.7", port=8000))), CURRENT)
    assert (known.attributes["network.peer.address"], known.attributes["network.peer.port"]) == ("10.0.0.7", 8000)
    unknown = span_of(entry(one=call(usage=USAGE)), CURRENT)
    assert not [name for name in unknown.attributes if name.startswith(("network.peer.", "tls."))]


def test_the_name_that_tls_was_opened_with_is_told_where_it_is_known() -> None:
    """Under the conventions' name."""
    known = span_of(entry(one=replace(call(usage=USAGE), server_name="api.openai.com")), CURRENT)
    assert known.attributes["tls.client.server_name"] == "api.openai.com"
