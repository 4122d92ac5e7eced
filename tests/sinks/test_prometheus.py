"""Ledger entries on the page."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from agent.dialects import DIALECTS
from agent.dialects.providers import Providers
from agent.estimation.counting import ByCharacters
from agent.model import (
    Evidence,
    ExtraUsage,
    Judgement,
    LedgerEntry,
    Outcome,
    PricedCall,
    Quarantined,
    Unsupported,
    Usage,
    Verdict,
)
from agent.pipeline.pipeline import Pipeline
from agent.sinks import metrics
from agent.sinks.metrics import Metric
from agent.sinks.prometheus import HealthCollector, PrometheusSink, Samples
from tests.exchanges import CHAT_ANSWER, CONN, Wire, request, response, stream
from tests.pricing.calls import at_ns, call
from tests.sinks.entries import PRICER, WEB, entry

WHO = {"namespace": "shop", "workload_kind": "Deployment", "workload": "web", "pod": "web-1"}
TIMED = WHO | {"provider": "openai", "model": "gpt-4o-mini-2024-07-18", "operation": "chat"}
BASE = TIMED | {"evidence": "reported", "team": "a-team", "feature": "search", "environment": "prod"}


class Page:
    """A sink with a registry of its own."""

    def __init__(self, *, max_models: int = 200, max_pods: int = 500) -> None:
        self.registry = CollectorRegistry()
        self.sink = PrometheusSink(self.registry, max_models=max_models, max_pods=max_pods, max_workloads=500)

    def value(self, name: str, labels: Mapping[str, str]) -> float | None:
        return self.registry.get_sample_value(name, dict(labels))

    def text(self) -> str:
        return generate_latest(self.registry).decode()

    def series(self) -> list[str]:
        return [line for line in self.text().splitlines() if not line.startswith("#")]


def test_a_call_is_cost_tokens_and_time() -> None:
    """Under the pod's name and what its labels say."""
    page = Page()
    one = replace(call(usage=entry().call.reading.usage), first_token_at_ns=at_ns("2026-11-20") - 5 * 10**8)
    page.sink.accept(entry(one=one))
    assert page.value("podtab_cost_usd_total", BASE) == 0.00024
    assert page.value("podtab_calls_total", BASE | {"outcome": "ok"}) == 1
    tokens = {kind: page.value("podtab_tokens_total", BASE | {"type": kind}) for kind in ("input", "cache_read")}
    assert tokens == {"input": 600, "cache_read": 400}
    assert page.value("podtab_call_duration_seconds_sum", TIMED) == 1.0
    assert page.value("podtab_time_to_first_token_seconds_bucket", TIMED | {"le": "0.64"}) == 1
    assert page.value("podtab_time_to_first_token_seconds_bucket", TIMED | {"le": "0.32"}) == 0


def test_tools_are_counted_by_name_and_by_who_runs_them() -> None:
    """What the model asks the application for, what the provider ran, and calls of MCP servers; names are bounded, and go with their pod."""
    page = Page(max_models=3)
    asked = call(tools={"web_search": 2})
    page.sink.accept(entry(one=replace(asked, reading=replace(asked.reading, tool_calls=("look_up", "look_up")))))
    served = call("unknown", "", tools={"browse": 1}, api="mcp/tools")
    page.sink.accept(entry(one=served))
    page.sink.accept(entry(one=call(tools={"one more": 5})))
    counted = sorted(line.partition(',tool="')[2] for line in page.series() if line.startswith("podtab_tool_calls"))
    assert counted == [
        'browse",workload="web",workload_kind="Deployment"} 1.0',
        'look_up",workload="web",workload_kind="Deployment"} 2.0',
        'other",workload="web",workload_kind="Deployment"} 5.0',
        'web_search",workload="web",workload_kind="Deployment"} 2.0',
    ]
    runners = sorted(line.partition('run_by="')[2].partition('"')[0] for line in page.series() if "tool_calls" in line)
    assert runners == ["application", "mcp", "provider", "provider"]
    page.sink.forget_pod("shop", "web-1")
    page.sink.accept(entry(one=call(tools={"one more": 5})))
    assert [line for line in page.series() if 'tool="one more"' in line]


def test_a_thousand_calls_add_up() -> None:
    """Counters are floats: a thousand costs stay within a billionth of the exact sum."""
    page = Page()
    for _ in range(1000):
        page.sink.accept(entry())
    total = page.value("podtab_cost_usd_total", BASE)
    assert total is not None
    assert abs(Decimal(total) - Decimal("0.24")) < Decimal("1e-10")


def test_unpriced_is_a_series_of_its_own() -> None:
    """No cost of 0 appears; calls and tokens are counted by the reason."""
    page = Page()
    page.sink.accept(entry(one=call(served="house-model", remarks=("total_exceeds_parts",))))
    labels = BASE | {"model": "house-model", "reason": "unknown_model"}
    assert page.value("podtab_unpriced_calls_total", labels) == 1
    assert page.value("podtab_unpriced_tokens_total", labels) == 1200
    assert not [line for line in page.series() if line.startswith("podtab_cost_usd")]
    assert page.value("podtab_remarks_total", {"provider": "openai", "remark": "total_exceeds_parts"}) == 1


def test_errors_and_retries() -> None:
    """A 429 that the SDK sent again is a call, a retry, not billed, and has no tokens."""
    page = Page()
    refused = call(usage=Usage(), evidence=Evidence.NOT_APPLICABLE, outcome=Outcome.RATE_LIMITED, served="gpt-4o-mini")
    page.sink.accept(entry(one=replace(refused, retry_count=2, lost_bytes=7, first_byte_at_ns=0)))
    labels = BASE | {"model": "gpt-4o-mini", "evidence": "not_applicable"}
    assert page.value("podtab_calls_total", labels | {"outcome": "rate_limited"}) == 1
    assert page.value("podtab_retried_calls_total", labels) == 1
    assert page.value("podtab_unpriced_calls_total", labels | {"reason": "not_billed"}) == 1
    assert page.value("podtab_call_lost_bytes_total", WHO) == 7
    assert not [line for line in page.series() if line.startswith(("podtab_tokens", "podtab_call_duration"))]


def test_extra_usage_is_counted_with_its_call() -> None:
    """What the cost holds, the tokens hold."""
    page = Page()
    extra = (ExtraUsage(kind="compaction", model="gpt-4o", usage=Usage(input_tokens=70)),)
    page.sink.accept(entry(one=call(usage=Usage(input_tokens=30), extra=extra)))
    assert page.value("podtab_tokens_total", BASE | {"type": "input"}) == 100


def test_estimates_are_series_of_their_own() -> None:
    """Tokens, calls and cost that we counted can be told from what providers stated, and left out of a sum."""
    page = Page()
    core = Pipeline(
        dialects=DIALECTS, provider_of=Providers().provider_of, price=PRICER.price, tokenizer=ByCharacters()
    )
    ask = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Say hello"}]}
    chunk = {"id": "c", "model": "gpt-4o-mini-2024-07-18", "choices": [{"index": 0, "delta": {"content": "Hello"}}]}
    for wire in (
        Wire(core).send(request(body=ask)).receive(stream([chunk])),
        Wire(core, CONN._replace(pointer=2)).send(request()).receive(response()),
    ):
        for output in wire.close().outputs:
            if isinstance(output, PricedCall):
                page.sink.accept(LedgerEntry(call=output.call, cost=output.cost, workload=WEB))
    for evidence in ("reported", "estimated"):
        mine = BASE | {"evidence": evidence}
        assert page.value("podtab_calls_total", mine | {"outcome": "ok"}) == 1
        assert (
            page.value("podtab_tokens_total", mine | {"type": "output"}) == {"reported": 12, "estimated": 1}[evidence]
        )
        assert (page.value("podtab_cost_usd_total", mine) or 0) > 0


@pytest.mark.parametrize(
    ("model", "usage", "rule"),
    [
        ("gpt-4o-mini", {"prompt_tokens_details": {"cached_tokens": 180}}, "cached_exceeds_input"),
        # A model without a price, and an answer that states its cost.
        ("house-model", {"prompt_tokens_details": {"cached_tokens": 180}}, "cached_exceeds_input"),
        ("gpt-4o-mini", {"prompt_tokens_details": {"cached_tokens": 180}, "cost": 0.5}, "cached_exceeds_input"),
        ("gpt-4o-mini", {"completion_tokens_details": {"reasoning_tokens": 21}}, "reasoning_exceeds_output"),
        ("gpt-4o-mini", {"prompt_tokens_details": {"audio_tokens": 101}}, "modality_exceeds_input"),
        ("gpt-4o-mini", {"total_tokens": 90}, "parts_exceed_total"),
        ("gpt-4o-mini", {"total_tokens": 150}, "total_exceeds_parts"),
    ],
)
def test_contradictory_usage_is_counted_by_rule(model: str, usage: dict[str, object], rule: str) -> None:
    """From the bytes of an answer to the metric, whoever prices it; the call is counted all the same, once, by that rule alone."""
    page = Page()
    core = Pipeline(dialects=DIALECTS, provider_of=Providers().provider_of, price=PRICER.price)
    body = CHAT_ANSWER | {"model": model, "usage": {"prompt_tokens": 100, "completion_tokens": 20} | usage}
    wire = Wire(core).send(request()).receive(response(body))
    for output in wire.outputs:
        if isinstance(output, PricedCall):
            page.sink.accept(LedgerEntry(call=output.call, cost=output.cost, workload=WEB))
    remarks = {line for line in page.series() if line.startswith("podtab_remarks_total") and "price" not in line}
    assert remarks == {f'podtab_remarks_total{{provider="openai",remark="{rule}"}} 1.0'}


def test_remarks_on_prices_are_counted() -> None:
    """A tier without a price of its own is seen by whoever looks at the page."""
    page = Page()
    page.sink.accept(entry(one=call(served="gpt-5", tier="ultrafast")))
    assert page.value("podtab_remarks_total", {"provider": "openai", "remark": "tier_not_priced"}) == 1


def test_nameless_model_and_clock_set_back() -> None:
    """A model that nobody named is ``unknown``; a duration is never below 0."""
    page = Page()
    one = call(served="", usage=Usage(), evidence=Evidence.ABSENT)
    page.sink.accept(entry(one=replace(one, started_at_ns=one.ended_at_ns + 10**9)))
    assert page.value("podtab_call_duration_seconds_sum", TIMED | {"model": "unknown"}) == 0


def test_what_is_not_a_call() -> None:
    """Unsupported exchanges, verdicts and quarantines, each by reason."""
    page = Page()
    accept_others(page.sink)
    assert page.value("podtab_unsupported_exchanges_total", {"provider": "cohere", "reason": "api"}) == 1
    assert page.value("podtab_judged_connections_total", {"judgement": "ignore", "reason": "not_http"}) == 1
    assert page.value("podtab_quarantined_connections_total", {"reason": "memory"}) == 1


def accept_others(sink: PrometheusSink) -> None:
    """One of each."""
    conn = call().conn
    sink.accept_unsupported(
        Unsupported(
            conn=conn, stream_id=1, cgroup_id=2, provider="cohere", host="h", path="/", status=200, reason="api"
        )
    )
    sink.accept_verdict(Verdict(conn=conn, judgement=Judgement.IGNORE, reason="not_http"))
    sink.accept_quarantined(Quarantined(conn=conn, reason="memory", detail=""))


# ----------------------------------------------------------------------------------------------------------------- bounds


def test_invented_models_share_a_series() -> None:
    """However many names a pod makes up, the page stays small, and nothing is lost from the sums."""
    page = Page(max_models=3)
    for number in range(50):
        page.sink.accept(entry(one=call(served=f"gpt-4o-mini-{number}\n")))
    calls = [line for line in page.series() if line.startswith("podtab_calls_total")]
    assert len(calls) == 4
    assert page.value("podtab_calls_total", BASE | {"model": "other", "outcome": "ok"}) == 47
    assert page.sink.limiter.turned_away["model"] == 47


def test_a_deleted_pod_leaves_nothing() -> None:
    """No series of it, of any metric, and those of its neighbours stay."""
    page = Page()
    lossy = replace(call(), lost_bytes=3, retry_count=1, first_token_at_ns=at_ns("2026-11-20"))
    for one in (entry("web-1", lossy), entry("web-1", call(served="house-model")), entry("web-1", team="b-team")):
        page.sink.accept(one)
    page.sink.accept(entry("web-2"))
    page.sink.accept(entry("web-1", namespace="other-shop"))
    page.sink.forget_pod("shop", "web-1")
    left = page.series()
    assert not [line for line in left if 'namespace="shop"' in line and 'pod="web-1"' in line]
    assert [line for line in left if 'pod="web-2"' in line]
    assert [line for line in left if 'namespace="other-shop"' in line]
    page.sink.forget_pod("shop", "web-1")
    page.sink.accept(entry("web-1"))
    assert page.value("podtab_calls_total", BASE | {"outcome": "ok"}) == 1


def test_places_are_freed_with_the_pod() -> None:
    """A year of deployments, one pod at a time, never ends in ``other``; neither do the models they used."""
    page = Page(max_pods=1, max_models=1)
    for number in range(20):
        pod = f"web-{number}"
        page.sink.accept(entry(pod, call(served=f"gpt-4o-mini-{number}")))
        labels = BASE | {"pod": pod, "model": f"gpt-4o-mini-{number}", "outcome": "ok"}
        assert page.value("podtab_calls_total", labels) == 1
        page.sink.forget_pod("shop", pod)


def test_pods_with_odd_names_are_forgotten_too() -> None:
    """What was cut to fit a label is found by the name that was cut."""
    page = Page()
    name = "web-" + "x" * 200
    page.sink.accept(entry(name))
    page.sink.forget_pod("shop", name)
    assert page.series() == []


# ----------------------------------------------------------------------------------------------------------------- health


def source() -> Mapping[Metric, Samples]:
    return {metrics.KERNEL_EVENTS: {("lost_bytes",): 5.0}, metrics.CONNECTIONS: {(): 3.0}}


def other_source() -> Mapping[Metric, Samples]:
    return {metrics.KERNEL_EVENTS: {("ignored_bytes",): 7.0}}


def test_health_is_asked_on_scrape() -> None:
    """Sources may share a metric; what no source tells is absent, not 0."""
    page = Page()
    page.registry.register(HealthCollector([source, other_source]))
    assert page.value("podtab_capture_kernel_events_total", {"event": "lost_bytes"}) == 5
    assert page.value("podtab_capture_kernel_events_total", {"event": "ignored_bytes"}) == 7
    assert page.value("podtab_open_connections", {}) == 3
    assert page.value("podtab_api_server_reachable", {}) is None


def everything() -> Mapping[Metric, Samples]:
    return {metric: {tuple("x" for _ in metric.labels): 1.0} for metric in metrics.HEALTH}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (apt install prometheus)")
def test_promtool_accepts_the_page() -> None:
    """Names, units, help and types of every metric, with values in all of them."""
    page = Page()
    page.registry.register(HealthCollector([everything]))
    streamed = replace(call(), first_token_at_ns=at_ns("2026-11-20"), retry_count=1, lost_bytes=1)
    page.sink.accept(entry(one=streamed))
    page.sink.accept(entry(one=call(served="house-model", remarks=("odd",))))
    accept_others(page.sink)
    told = {line.split()[2] for line in page.text().splitlines() if line.startswith("# TYPE")}
    assert told == {metric.exposed_name for metric in (*metrics.EVENTS, *metrics.HEALTH)}
    done = subprocess.run(["promtool", "check", "metrics"], input=page.text(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_price_and_the_page_agree() -> None:
    """The sink adds up what the ledger says, whatever priced it."""
    page = Page()
    one = call("openrouter", "openai/gpt-4o", reported=Decimal("0.5"))
    page.sink.accept(LedgerEntry(call=one, cost=PRICER.price(one), workload=WEB))
    assert page.value("podtab_cost_usd_total", BASE | {"provider": "openrouter", "model": "openai/gpt-4o"}) == 0.5


def test_a_node_of_a_thousand_pods_keeps_its_limits() -> None:
    """Past the limit pods share one series; every call is still counted, and the page stops growing."""
    page = Page(max_pods=100)
    for number in range(1_000):
        page.sink.accept(entry(f"web-{number}"))
    calls = [line for line in page.series() if line.startswith("podtab_calls_total")]
    assert len(calls) == 101
    assert page.value("podtab_calls_total", BASE | {"pod": "other", "outcome": "ok"}) == 900
