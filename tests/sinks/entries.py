"""Ledger entries for tests of sinks."""

from __future__ import annotations

from dataclasses import replace

from agent.model import Call, LedgerEntry, Usage, Workload
from agent.pricing import Pricer
from tests.pricing.calls import call

PRICER = Pricer()
USAGE = Usage(input_tokens=1000, output_tokens=200, cache_read_input_tokens=400, reasoning_output_tokens=50)
WEB = Workload(
    namespace="shop",
    kind="Deployment",
    name="web",
    pod="web-1",
    team="a-team",
    feature="search",
    environment="prod",
)


def entry(pod: str = "web-1", one: Call | None = None, **changes: str) -> LedgerEntry:
    """One call of ``pod``, priced: 0.00024 dollars if not told otherwise."""
    one = call(usage=USAGE) if one is None else one
    return LedgerEntry(call=one, cost=PRICER.price(one), workload=replace(WEB, pod=pod, **changes))
