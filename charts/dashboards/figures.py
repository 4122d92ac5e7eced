"""Figures that several dashboards show, so that they are the same figure everywhere."""

from __future__ import annotations

from agent.model import Outcome
from agent.sinks.metrics import CALLS, COST, TOKENS, UNPRICED_CALLS, UNPRICED_TOKENS
from charts.dashboards import promql
from charts.dashboards.promql import Matcher, Scope

NO_PRICE = "Calls without a price"
BILLED = "Failed calls cost nothing; what a gateway asks for somebody else costs who asked."

CHARGED = Matcher("reason", "!~", "not_billed|via_gateway")

# By the names of agent/pricing/leaves.py, TokenType: a type that is added there falls into place.
ANSWERED = Matcher("type", "=~", "output.*|reasoning.*")
SENT = Matcher("type", "!~", ANSWERED.value)
CACHED = Matcher("type", "=~", "cache_read.*")
FAILED: Matcher = promql.differs("outcome", Outcome.OK.value)


def dollars_per_hour(scope: Scope, *by: str) -> str:
    """At each moment."""
    return f"{scope.per_second(COST, by=by)} * 3600"


def unpriced(scope: Scope, *by: str) -> str:
    """Billed calls without a known price; 0 where calls were seen and all had one."""
    return promql.or_zero(scope.grown(UNPRICED_CALLS, CHARGED, by=by), scope.grown(CALLS, by=by))


def cost_per_call(scope: Scope, *by: str) -> str:
    """Of calls that have a price."""
    calls, without = scope.grown(CALLS, by=by), scope.grown(UNPRICED_CALLS, by=by)
    return f"{scope.grown(COST, by=by)} / {promql.above_zero(f'({calls} - {promql.or_zero(without, calls)})')}"


def cost_per_call_over_time(scope: Scope, *by: str) -> str:
    calls, without = scope.per_second(CALLS, by=by), scope.per_second(UNPRICED_CALLS, by=by)
    return f"{scope.per_second(COST, by=by)} / {promql.above_zero(f'({calls} - {promql.or_zero(without, calls)})')}"


def cost_per_million_tokens(scope: Scope, *by: str) -> str:
    """Of tokens that have a price, of all types together."""
    tokens, without = scope.grown(TOKENS, by=by), scope.grown(UNPRICED_TOKENS, by=by)
    return f"1e6 * {scope.grown(COST, by=by)} / {promql.above_zero(f'({tokens} - {promql.or_zero(without, tokens)})')}"


def cached_share(scope: Scope, *by: str) -> str:
    """Of the tokens sent; nothing where no answer ever mentioned a cache."""
    return f"{scope.grown(TOKENS, CACHED, by=by)} / {promql.above_zero(scope.grown(TOKENS, SENT, by=by))}"


def cached_share_over_time(scope: Scope, *by: str) -> str:
    return f"{scope.per_second(TOKENS, CACHED, by=by)} / {promql.above_zero(scope.per_second(TOKENS, SENT, by=by))}"


def failed_share(scope: Scope, *by: str) -> str:
    """0 where calls were seen and none failed."""
    calls = scope.grown(CALLS, by=by)
    return f"{promql.or_zero(scope.grown(CALLS, FAILED, by=by), calls)} / {promql.above_zero(calls)}"
