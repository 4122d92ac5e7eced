"""A gateway's call is found by what proves it, in whatever order the two end; and in doubt they stay two."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import (
    Call,
    ConnId,
    Cost,
    CostSource,
    Evidence,
    Outcome,
    PassedOn,
    PricedCall,
    Reading,
    Unpriced,
    Usage,
)
from agent.pipeline.gateways import HOLD_NS, MAX_HELD, START_SLACK_NS, VIA, Gateways, belongs, is_inside
from agent.pipeline.pipeline import Pipeline
from tests.exchanges import CHAT_ANSWER, CONN, Wire, pipeline, request, response
from tests.protocol.http2_talk import Talk

GATEWAY, APP, OTHER = 7, 8, 9
LIST = Cost(total_usd=Decimal("0.01"), lines=(), source=CostSource.PRICE_BOOK, rule="r", price_book="b")
NONE = Unpriced(reason="unknown_provider")


def call(
    pid: int, host: str, start: int, end: int, *, model: str = "gpt-4o", answer: str = "", tokens: int | None = 5
) -> Call:
    return Call(
        conn=ConnId(pid=pid, pointer=pid, born_ns=1),
        stream_id=1,
        cgroup_id=pid,
        provider="openai" if host == "api.openai.com" else "unknown",
        api="openai/chat",
        host=host,
        status=200,
        outcome=Outcome.OK,
        started_at_ns=start,
        first_byte_at_ns=start,
        first_token_at_ns=0,
        ended_at_ns=end,
        reading=Reading(
            operation="chat",
            requested_model=model,
            response_id=answer,
            usage=Usage(input_tokens=tokens, output_tokens=tokens),
            evidence=Evidence.ABSENT if tokens is None else Evidence.REPORTED,
        ),
    )


def outer(start: int = 10, end: int = 90, **about: object) -> PricedCall:
    return PricedCall(call=call(APP, "litellm", start, end, **about), cost=NONE)  # type: ignore[arg-type]


def inner(start: int = 20, end: int = 80, **about: object) -> PricedCall:
    return PricedCall(call=call(GATEWAY, "api.openai.com", start, end, **about), cost=LIST)  # type: ignore[arg-type]


def told(gateways: Gateways, *calls: PricedCall, at_ns: int = 100) -> dict[int, Cost | Unpriced]:
    """Costs by process, after all is over; every call comes out once."""
    out = [one for priced in calls for one in gateways.take(priced, at_ns)]
    out += gateways.release(at_ns + HOLD_NS)
    assert sorted(one.call.conn.pid for one in out) == sorted(one.call.conn.pid for one in calls)
    return {one.call.conn.pid: one.cost for one in out}


def case(*, under_way: bool = True) -> Gateways:
    return Gateways(lambda _: under_way)


@pytest.mark.parametrize("proof", [{"answer": "chatcmpl-1"}, {}])
@pytest.mark.parametrize("inner_first", [True, False])
def test_one_cost_with_who_asked_first(proof: dict[str, str], inner_first: bool) -> None:
    """By the answer's id, or by model and counts; whichever ends first."""
    pair = [inner(**proof), outer(**proof)]
    costs = told(case(), *(pair if inner_first else reversed(pair)))
    assert costs == {GATEWAY: Unpriced(reason=VIA), APP: replace(LIST, remarks=("of_the_gateways_call",))}


def test_another_name_for_the_model_needs_the_id() -> None:
    """``smart`` at the gateway, ``gpt-4o`` behind it."""
    assert told(case(), inner(answer="a"), outer(model="smart", answer="a"))[GATEWAY] == Unpriced(reason=VIA)
    assert told(case(), inner(answer="a"), outer(model="smart", answer="b")) == {GATEWAY: LIST, APP: NONE}
    assert told(case(), inner(), outer(model="openai/gpt-4o"))[GATEWAY] == Unpriced(reason=VIA)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (inner(start=5), outer(start=6 + START_SLACK_NS, end=7 + START_SLACK_NS)),
        (inner(end=90 + 2 * 10**9), outer()),
        (inner(tokens=6), outer()),
        (inner(answer="a", tokens=6), outer(answer="a")),
        (inner(tokens=None), outer(tokens=None)),
        (inner(), PricedCall(call=call(GATEWAY, "litellm", 10, 90), cost=NONE)),
        (PricedCall(call=call(GATEWAY, "vllm", 20, 80), cost=LIST), outer()),
        (inner(), PricedCall(call=call(APP, "api.openai.com", 10, 90), cost=LIST)),
    ],
    ids=[
        "began before",
        "ended long after",
        "other counts",
        "other counts and the same id",
        "no counts",
        "the same process",
        "two models of the cluster that were asked the same",
        "two calls to the provider",
    ],
)
def test_in_doubt_they_stay_two(first: PricedCall, second: PricedCall) -> None:
    """Nothing is taken from anybody."""
    gateways = case()
    out = [one for priced in (first, second) for one in gateways.take(priced, 100)]
    out += gateways.release(100 + HOLD_NS)
    assert sorted(map(repr, out)) == sorted(map(repr, (first, second)))
    assert not gateways.linked


def test_a_request_whose_stamp_came_late() -> None:
    """The caller was preempted between its sending and the stamp: the gateway seems to have asked first."""
    assert told(case(), inner(start=20), outer(start=20 + START_SLACK_NS, end=30 + START_SLACK_NS))[
        GATEWAY
    ] == Unpriced(reason=VIA)


def test_a_drain_that_brings_both_in_the_wrong_order() -> None:
    """Both have ended, and nobody waits any more: the one to the gateway is taken first."""
    pair = [inner(answer="a"), outer(answer="a")]
    gateways = case(under_way=False)
    out = [*gateways.take_together(pair, 100), *gateways.release(100 + HOLD_NS)]
    assert {one.call.conn.pid: one.cost for one in out} == {
        GATEWAY: Unpriced(reason=VIA),
        APP: replace(LIST, remarks=("of_the_gateways_call",)),
    }


def test_a_gateway_behind_a_gateway() -> None:
    """The cost goes all the way, and nowhere else."""
    first = PricedCall(call=call(APP, "gateway", 10, 90, answer="a"), cost=NONE)
    second = PricedCall(call=call(OTHER, "litellm", 15, 85, answer="a"), cost=NONE)
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)):
        three = (first, second, inner(answer="a"))
        costs = told(case(), *(three[number] for number in order))
        assert isinstance(costs[APP], Cost), order
        assert costs[GATEWAY] == Unpriced(reason=VIA), order
        assert not isinstance(costs[OTHER], Cost), order


def test_what_the_gateway_says_that_it_cost_counts() -> None:
    """Its header is the first source, here as for every call."""
    said = replace(LIST, source=CostSource.PROVIDER, total_usd=Decimal("0.02"))
    assert told(case(), inner(), replace(outer(), cost=said)) == {GATEWAY: Unpriced(reason=VIA), APP: said}


def test_two_at_once() -> None:
    """The same question by two processes: two costs, one each."""
    apps = [outer(), PricedCall(call=call(OTHER, "litellm", 11, 91), cost=NONE)]
    out: list[PricedCall] = []
    gateways = case()
    for priced in (inner(), inner(start=21), *apps):
        out += gateways.take(priced, 100)
    out += gateways.release(100 + HOLD_NS)
    assert [one.call.conn.pid for one in out if isinstance(one.cost, Cost)] in ([APP, OTHER], [OTHER, APP])
    assert gateways.linked == 2


def test_without_gateways_nobody_waits() -> None:
    """Calls to providers go on at once where nothing inside the cluster is asked."""
    gateways = case(under_way=False)
    assert list(gateways.take(inner(), 100)) == [inner()]
    assert list(gateways.release(10**18)) == []


def test_nobody_waits_longer_than_a_moment() -> None:
    """What is held goes on when its time is over, and when there are too many."""
    gateways = case()
    assert list(gateways.take(inner(), 100)) == []
    assert list(gateways.release(99 + HOLD_NS)) == []
    assert list(gateways.release(100 + HOLD_NS)) == [inner()]
    out = [one for number in range(MAX_HELD + 10) for one in gateways.take(inner(start=number), 100)]
    assert [one.call.started_at_ns for one in out] == list(range(10))


@pytest.mark.parametrize(
    "host", ["litellm", "vllm.models.svc", "a.b.svc.cluster.local", "10.0.0.1", "[::1]", "box.internal"]
)
def test_inside(host: str) -> None:
    """By its name alone."""
    assert is_inside(host)


@pytest.mark.parametrize(
    "host", ["api.openai.com", "8.8.8.8", "svc.example.com", "bedrock-runtime.eu-west-1.amazonaws.com"]
)
def test_outside(host: str) -> None:
    """A provider's."""
    assert not is_inside(host)


def told_by(priced: PricedCall, *, request_id: str = "", model: str = "") -> PricedCall:
    """What a gateway that passes its provider's headers on says of the call behind it."""
    return replace(priced, call=replace(priced.call, passed_on=PassedOn(request_id=request_id, model=model)))


def answered_as(priced: PricedCall, request_id: str) -> PricedCall:
    return replace(priced, call=replace(priced.call, request_id=request_id))


@pytest.mark.parametrize("inner_first", [True, False])
def test_the_providers_own_id_passed_on(inner_first: bool) -> None:
    """LiteLLM in front of Anthropic: another model's name, another id of the answer, and the provider's in a header of its own."""
    pair = [answered_as(inner(answer="msg_1"), "req_1"), told_by(outer(model="smart", answer="x"), request_id="req_1")]
    costs = told(case(), *(pair if inner_first else reversed(pair)))
    assert costs == {GATEWAY: Unpriced(reason=VIA), APP: replace(LIST, remarks=("of_the_gateways_call",))}


def test_another_id_passed_on_speaks_against_it() -> None:
    """The same model and counts, and yet certainly another answer."""
    pair = answered_as(inner(), "req_1"), told_by(outer(), request_id="req_2")
    assert told(case(), *pair) == {GATEWAY: LIST, APP: NONE}


def test_an_id_that_everybody_echoes_is_none() -> None:
    """A mesh writes one request's id on all that is done for it."""
    pair = answered_as(inner(), "trace"), answered_as(outer(model="smart"), "trace")
    assert told(case(), *pair) == {GATEWAY: LIST, APP: NONE}


def test_the_model_that_the_gateway_says_it_asked() -> None:
    """Where it passes no id on: its own names are aliases."""
    behind = told_by(outer(model="smart"), model="openai/gpt-4o")
    assert told(case(), inner(), behind)[GATEWAY] == Unpriced(reason=VIA)
    behind = told_by(outer(model="smart"), model="anthropic/claude")
    assert told(case(), inner(), behind) == {GATEWAY: LIST, APP: NONE}


@pytest.mark.parametrize("evidence", [Evidence.ESTIMATED, Evidence.ABSENT])
@pytest.mark.parametrize("inner_first", [True, False])
def test_counts_that_only_the_gateway_was_told(evidence: Evidence, inner_first: bool) -> None:
    """A stream whose client did not ask for its usage has the counts, and their evidence, of the gateway's call."""
    asked = told_by(outer(tokens=None, answer="x"), request_id="req_1")
    asked = replace(asked, call=replace(asked.call, reading=replace(asked.call.reading, evidence=evidence)))
    pair = [answered_as(inner(tokens=11), "req_1"), asked]
    gateways = case()
    out = [one for priced in (pair if inner_first else reversed(pair)) for one in gateways.take(priced, 100)]
    out += gateways.release(100 + HOLD_NS)
    (passed,) = (one for one in out if one.call.conn.pid == APP)
    assert isinstance(passed.cost, Cost)
    assert (passed.call.reading.usage.input_tokens, passed.call.reading.evidence) == (11, Evidence.REPORTED)
    assert "counts_of_the_gateways_call" in passed.call.reading.remarks
    assert not gateways._by_mark


@given(st.permutations(range(8)), st.lists(st.booleans(), min_size=4, max_size=4))
def test_at_once_each_has_its_own(order: list[int], counted: list[bool]) -> None:
    """Four pods ask the same model, use the same and overlap; each cost goes to who asked, in whatever order the calls end."""
    calls = []
    for number in range(4):
        asked = told_by(outer(answer=f"x{number}", tokens=5 if counted[number] else None), request_id=f"req_{number}")
        calls.append(replace(asked, call=replace(asked.call, conn=ConnId(pid=20 + number, pointer=1, born_ns=1))))
        price = replace(LIST, total_usd=Decimal(1 + number))
        calls.append(replace(answered_as(inner(answer=f"y{number}"), f"req_{number}"), cost=price))
    gateways = case()
    out = [one for place in order for one in gateways.take(calls[place], 100)] + list(gateways.release(100 + HOLD_NS))
    paid = {one.call.conn.pid: one.cost.total_usd for one in out if isinstance(one.cost, Cost)}
    assert paid == {20 + number: Decimal(1 + number) for number in range(4)}
    assert not gateways._by_mark


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_every_call_comes_out_once(shape: list[tuple[bool, int, int, int]]) -> None:
    """Whatever comes in whatever order: none is lost, none twice, and links take as many costs as they give."""
    calls = [
        (outer if is_outer else inner)(start=start, end=start + length, answer=f"r{number}")
        for is_outer, number, start, length in shape
    ]
    gateways = case()
    out = [one for priced in calls for one in gateways.take(priced, 100)] + list(gateways.release(100 + HOLD_NS))
    assert sorted(repr(one.call) for one in out) == sorted(repr(one.call) for one in calls)
    assert sum(isinstance(one.cost, Cost) for one in out) == sum(isinstance(one.cost, Cost) for one in calls)
    assert gateways.linked == sum(one.cost == Unpriced(reason=VIA) for one in out)


def test_the_pipeline_knows_who_waits() -> None:
    """Another process's request inside the cluster that is older, until its answer has ended."""
    core = pipeline()
    waiting = Wire(core, ConnId(pid=1, pointer=1, born_ns=1))
    waiting.send(request(host="litellm"))
    later = call(2, "api.openai.com", waiting.at_ns + 1, waiting.at_ns + 2)
    assert core.within_another(later)
    assert not core.within_another(replace(later, conn=waiting.conn)), "its own"
    assert not core.within_another(replace(later, started_at_ns=1)), "it began before"
    waiting.receive(response())
    assert not core.within_another(later)
    outside = Wire(core, CONN).send(request())
    assert not core.within_another(replace(later, started_at_ns=outside.at_ns + 1)), "a provider's is no gateway"


WATCH = "/api/v1/namespaces/shop/pods?watch=true&resourceVersion=1"
API_SERVER = "kubernetes.default.svc"
CHANGE = b'{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1"}}'


def watch_in_http1(core: Pipeline) -> Wire:
    """Its answer comes in pieces, for ever."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    wire = Wire(core).send(request(WATCH, API_SERVER, method="GET"))
    return wire.receive(head, b"%x\r\n%s\r\n" % (len(CHANGE), CHANGE))


def watch_in_http2(core: Pipeline) -> Wire:
    """Beside lists that were answered."""
    client, server = Talk(), Talk()
    wire = Wire(core).send(client.preface(), client.request(1, WATCH, API_SERVER, end=True))
    return wire.receive(server.settings(), server.response(1), server.data(1, CHANGE))


def watch_joined_in_the_middle(core: Pipeline) -> Wire:
    """Of a connection that was there before us: neither its host nor its path is told."""
    client, server = Talk(), Talk()
    client.request(1, WATCH, API_SERVER)
    server.response(1)
    wire = Wire(core).send(client.request(3, WATCH, API_SERVER, end=True))
    return wire.receive(server.response(3), server.data(3, CHANGE))


def poll_beside_answers(core: Pipeline) -> Wire:
    """A gateway's own long-poll, on a connection on which models are asked too."""
    wire = Wire(core).send(request(host="litellm")).receive(response())
    return wire.send(request("/config/updates?wait=600s", "litellm", method="GET"))


@pytest.mark.parametrize("under_way", [watch_in_http1, watch_in_http2, watch_joined_in_the_middle, poll_beside_answers])
def test_no_call_is_held_while_a_watch_is_open(under_way: Callable[[Pipeline], Wire]) -> None:
    """What asks no AI is nobody's outer call, however long it takes: calls are told as they end."""
    core = pipeline()
    at_ns = under_way(core).at_ns
    gateways = Gateways(core.within_another)
    priced = PricedCall(call=call(2, "api.openai.com", at_ns + 1, at_ns + 2, answer="a"), cost=LIST)
    assert list(gateways.take(priced, at_ns + 3)) == [priced]


def test_joined_in_the_middle_it_counts_when_it_has_been_judged() -> None:
    """An AI has answered on it, so the next request may be one to a gateway, whose name is not known."""
    client, server = Talk(), Talk()
    client.request(1, host="litellm")
    server.response(1)
    answer = json.dumps(CHAT_ANSWER).encode()
    core = pipeline()
    wire = Wire(core).send(client.request(3, host="litellm") + client.data(3, b"{}", end=True))
    later = call(2, "api.openai.com", wire.at_ns + 1, wire.at_ns + 2)
    assert not core.within_another(later)
    wire.receive(server.response(3) + server.data(3, answer, end=True))
    assert wire.calls
    wire.send(client.request(5, host="litellm") + client.data(5, b"{}", end=True))
    assert core.within_another(replace(later, started_at_ns=wire.at_ns + 1))


def test_what_proves_nothing_is_not_held() -> None:
    """Tools of the cluster and counts of tokens have neither an id nor counts: nobody could come for them."""
    for held in (outer(tokens=None), inner(tokens=None)):
        assert list(case().take(held, 100)) == [held]
    assert list(case().take(outer(tokens=None, answer="a"), 100)) == []


def test_a_host_that_was_not_told_needs_the_id() -> None:
    """It may be inside or not: model and counts alone prove nothing, the same answer's id does."""
    unnamed = PricedCall(call=call(APP, "", 10, 90), cost=NONE)
    assert told(case(), inner(), unnamed) == {GATEWAY: LIST, APP: NONE}
    unnamed = PricedCall(call=call(APP, "", 10, 90, answer="a"), cost=NONE)
    assert told(case(), inner(answer="a"), unnamed)[GATEWAY] == Unpriced(reason=VIA)


def test_belongs_is_not_symmetrical() -> None:
    """The outer one is the one inside the cluster."""
    assert belongs(outer().call, inner().call)
    assert not belongs(inner().call, outer().call)
