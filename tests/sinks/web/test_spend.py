"""Exact sums per pod."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

from agent.model import Evidence, ExtraUsage, LedgerEntry, Outcome, Usage
from agent.sinks.web.spend import Spend, tokens_of
from tests.pricing.calls import at_ns, call
from tests.sinks.entries import USAGE, WEB, entry


def test_sums_are_exact() -> None:
    """Ten times a tenth of a micro-dollar is one micro-dollar, which no float says."""
    spend = Spend(10)
    one = entry()
    tiny = replace(one, cost=replace(one.cost, total_usd=Decimal("0.0000001")))  # type: ignore[call-arg]
    for _ in range(10):
        spend.accept(tiny)
    huge = replace(one, cost=replace(one.cost, total_usd=Decimal("98765432109876543210.000000000000000000000000001")))  # type: ignore[call-arg]
    spend.accept(huge)
    total, (row,) = spend.rows()
    assert row.cost_usd == total.cost_usd == Decimal("98765432109876543210.000001000000000000000000001")


def test_a_row_says_what_a_pod_did() -> None:
    """Calls, errors, what has no price, tokens by disjoint type, the last moment and who pays."""
    spend = Spend(10)
    spend.accept(entry())
    spend.accept(entry(one=call(served="house-model", at="2026-11-21")))
    spend.accept(entry(one=call(outcome=Outcome.RATE_LIMITED, evidence=Evidence.NOT_APPLICABLE, usage=Usage())))
    total, (row,) = spend.rows()
    assert (row.namespace, row.kind, row.workload, row.pod, row.team) == (
        "shop",
        "Deployment",
        "web",
        "web-1",
        "a-team",
    )
    assert (row.calls, row.errors, row.unpriced_calls) == (3, 1, 1)
    assert row.cost_usd == Decimal("0.00024")
    assert row.tokens == {"input": 1600, "cache_read": 400, "output": 350, "reasoning": 50}
    assert row.last_call_at_ns == at_ns("2026-11-21")
    assert (total.calls, total.tokens) == (3, row.tokens)


def test_tokens_on_top_of_a_call_are_the_calls() -> None:
    """What a provider billed beside it is not lost."""
    extra = ExtraUsage(kind="iteration", model="", usage=Usage(input_tokens=7, output_tokens=1))
    assert tokens_of(entry(one=call(usage=USAGE, extra=(extra,)))) == {
        "input": 607,
        "cache_read": 400,
        "output": 151,
        "reasoning": 50,
    }


def test_dearest_first() -> None:
    """Where the money goes stands on top."""
    spend = Spend(10)
    for pod, calls in (("web-1", 1), ("web-2", 3), ("web-3", 2)):
        for _ in range(calls):
            spend.accept(entry(pod))
    assert [row.pod for row in spend.rows()[1]] == ["web-2", "web-3", "web-1"]


def test_pods_beyond_the_limit_are_one_row() -> None:
    """Nothing is dropped, and memory is bounded."""
    spend = Spend(2)
    for number in range(100):
        spend.accept(entry(f"web-{number}"))
    total, rows = spend.rows()
    assert {row.pod: row.calls for row in rows} == {"web-0": 1, "web-1": 1, "other": 98}
    assert sum(row.calls for row in rows) == total.calls == 100
    assert sum(row.cost_usd for row in rows) == total.cost_usd


def test_a_deleted_pods_row_goes_and_its_money_stays() -> None:
    """Its place is free for the next one; the node's total does not fall."""
    spend = Spend(1)
    for number in range(20):
        spend.accept(entry(f"web-{number}"))
        spend.accept(LedgerEntry(call=call(), cost=entry().cost, workload=replace(WEB, pod=f"web-{number}", team="b")))
        (row,) = spend.rows()[1]
        assert (row.pod, row.team) == (f"web-{number}", "b")
        spend.forget_pod("shop", f"web-{number}")
        assert spend.rows()[1] == []
    assert spend.rows()[0].calls == 40
    spend.accept(entry("web-1"))
    spend.forget_pod("bank", "web-1")
    assert len(spend.rows()[1]) == 1


def test_odd_names_are_made_printable_and_forgotten_by_them() -> None:
    """A name with control characters is somebody's joke."""
    spend = Spend(10)
    spend.accept(entry("web\n\x1b[31m" + "x" * 500))
    (row,) = spend.rows()[1]
    assert row.pod.isprintable()
    assert len(row.pod) == 128
    spend.forget_pod("shop", "web\n\x1b[31m" + "x" * 500)
    assert spend.rows()[1] == []


def test_rows_are_of_one_moment() -> None:
    """A reader on another thread never sees the total without its row."""
    spend = Spend(10)
    done = threading.Event()

    def feed() -> None:
        for number in range(3000):
            spend.accept(entry(f"web-{number % 5}"))
        done.set()

    thread = threading.Thread(target=feed)
    thread.start()
    while not done.is_set():
        total, rows = spend.rows()
        assert sum(row.calls for row in rows) == total.calls
        assert sum(row.cost_usd for row in rows) == total.cost_usd
    thread.join()
