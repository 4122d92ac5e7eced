"""
One ledger entry as one client span: pure, and free of OpenTelemetry's library.

A span says who called which model, what it used and what that costs.  There is no prompt and no answer in a ledger entry, so none
can get out here; strings that a provider or a pod chose are bounded.  What is not known is left out: 0 would be a claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from hashlib import blake2b

from agent.model import Account, Call, Cost, CostSource, LedgerEntry, Outcome, Reading, Unpriced, Usage
from agent.sinks.limits import clean
from agent.sinks.otlp.names import Attributes, Semconv, spelled
from agent.sinks.otlp.resource import Resource, resource_of

_MAX_LISTED = 32
_MCP = "mcp/tools"
_PROPOSED_COST = "gen_ai.usage.cost.amount"

# The proposal's classes of cost, by the unit of a line; lines of extra usage and of units that have no class are in the total alone.
_COST_CLASSES = {
    "cache_read": "cache_read",
    "cache_write": "cache_write",
    "cache_write_1h": "cache_write",
    "cache_write_12h": "cache_write",
    "reasoning": "reasoning",
    **dict.fromkeys(("input", "tool_use", "input_audio", "input_image", "input_video"), "input"),
    **dict.fromkeys(("output", "output_audio", "output_image"), "output"),
}

# The conventions' names of counters; every other counter of ours is podtab.usage.NAME, so that a new one is never forgotten.
_USAGE_NAMES = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_input_tokens": "gen_ai.usage.cache_write.input_tokens",
    "reasoning_output_tokens": "gen_ai.usage.reasoning.output_tokens",
    "audio_input_tokens": "gen_ai.usage.audio.input_tokens",
    "audio_output_tokens": "gen_ai.usage.audio.output_tokens",
    "image_input_tokens": "gen_ai.usage.image.input_tokens",
    "image_output_tokens": "gen_ai.usage.image.output_tokens",
}
_ACCOUNT = tuple((one.name, f"podtab.account.{one.name}") for one in fields(Account))
_USAGE = tuple((one.name, _USAGE_NAMES.get(one.name, f"podtab.usage.{one.name}")) for one in fields(Usage))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanValue:
    """What an exporter needs to know of one call."""

    trace_id: int
    span_id: int
    name: str
    start_ns: int
    end_ns: int
    failed: bool
    attributes: Attributes
    resource: Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How spans name things."""

    semconv: Semconv = Semconv.BOTH
    cost_aliases: tuple[str, ...] = (_PROPOSED_COST,)
    """Further attributes that hold the cost in dollars, for backends that look for it elsewhere."""


def span_of(entry: LedgerEntry, naming: Naming) -> SpanValue:
    """The span of one call."""
    call = entry.call
    trace_id, span_id = _ids(entry)
    attributes: Attributes = {}
    _say_call(attributes, call)
    _say_reading(attributes, call)
    _say_usage(attributes, call.reading)
    attributes = spelled(attributes, naming.semconv)
    _say_cost(attributes, entry.cost, naming)
    return SpanValue(
        trace_id=trace_id,
        span_id=span_id,
        name=_name(call),
        start_ns=call.started_at_ns,
        # A clock that was set back: a span that ends before it begins is refused by backends.
        end_ns=max(call.ended_at_ns, call.started_at_ns),
        failed=call.outcome is not Outcome.OK,
        attributes=attributes,
        resource=resource_of(entry.workload),
    )


def _name(call: Call) -> str:
    """What was done, and by what."""
    reading = call.reading
    if call.api == _MCP:
        return " ".join(("tools/call", *_words(list(reading.server_tool_calls)[:1])))
    model = clean(reading.requested_model or reading.served_model)
    return f"{reading.operation} {model}" if model else reading.operation


def call_attributes(call: Call) -> Attributes:
    """What spans and metrics say alike, under today's names."""
    reading = call.reading
    attributes: Attributes = {
        "gen_ai.operation.name": reading.operation,
        "gen_ai.provider.name": clean(call.provider),
    }
    for name, value in (
        ("gen_ai.request.model", reading.requested_model),
        ("gen_ai.response.model", reading.served_model),
        ("server.address", call.host),
    ):
        if value:
            attributes[name] = clean(value)
    return attributes


def error_type(call: Call) -> str:
    """``error.type``: the provider's own word, else the status, else how it ended; "" where nothing went wrong."""
    if call.outcome is Outcome.OK:
        return ""
    if call.reading.error:
        return clean(call.reading.error)
    return str(call.status) if call.status >= 400 else call.outcome.value


def _ids(entry: LedgerEntry) -> tuple[int, int]:
    """
    Ids that follow from the call: a batch that is sent twice, because its answer was lost, is one batch to a backend.

    Never 0, which OpenTelemetry calls invalid.
    """
    call, workload = entry.call, entry.workload
    conn = call.conn
    told = (workload.cluster, workload.node, conn.pid, conn.pointer, conn.born_ns, call.stream_id, call.started_at_ns)
    digest = blake2b(repr(told).encode("utf-8", "replace"), digest_size=24, person=b"podtab-span").digest()
    return int.from_bytes(digest[:16], "big") or 1, int.from_bytes(digest[16:], "big") or 1


def _say_call(attributes: Attributes, call: Call) -> None:
    attributes.update(call_attributes(call))
    if call.status:
        attributes["http.response.status_code"] = call.status
    if error := error_type(call):
        attributes["error.type"] = error
    if call.peer is not None:
        attributes["network.peer.address"] = call.peer.address
        attributes["network.peer.port"] = call.peer.port
    if call.server_name:
        attributes["tls.client.server_name"] = call.server_name
    if call.retry_count:
        attributes["http.request.resend_count"] = call.retry_count
    attributes["podtab.api"] = call.api
    attributes["podtab.outcome"] = call.outcome.value
    if call.request_id:
        attributes["podtab.request_id"] = clean(call.request_id)
    for name, value in _ACCOUNT:
        if found := getattr(call.account, name):
            attributes[value] = clean(found)
    if call.lost_bytes:
        attributes["podtab.lost_bytes"] = call.lost_bytes
    if call.first_token_at_ns:
        attributes["gen_ai.response.time_to_first_chunk"] = max(call.first_token_at_ns - call.started_at_ns, 0) / 1e9


def _say_reading(attributes: Attributes, call: Call) -> None:
    reading = call.reading
    attributes["podtab.evidence"] = reading.evidence.value
    if (estimate := reading.estimate) is not None:
        attributes["podtab.estimate.basis"] = estimate.basis
        attributes["podtab.estimate.lower_bound"] = estimate.lower_bound
        for side, error in (("input", estimate.input_error), ("output", estimate.output_error)):
            if error is not None:
                attributes[f"podtab.estimate.{side}_error"] = error
    if call.api == _MCP:
        attributes["mcp.method.name"] = "tools/call"
        for tool in _words(list(reading.server_tool_calls)[:1]):
            attributes["gen_ai.tool.name"] = tool
    if reading.streaming:
        attributes["gen_ai.request.stream"] = True
    if reading.response_id:
        attributes["gen_ai.response.id"] = clean(reading.response_id)
    if reading.finish_reason:
        attributes["gen_ai.response.finish_reasons"] = (clean(reading.finish_reason),)
    if reading.service_tier:
        ours = call.provider in ("openai", "azure.ai.openai")
        attributes["openai.response.service_tier" if ours else "podtab.service_tier"] = clean(reading.service_tier)
    if reading.remarks:
        attributes["podtab.remarks"] = _words(reading.remarks)


def _say_usage(attributes: Attributes, reading: Reading) -> None:
    for field, name in _USAGE:
        number: int | float | None = getattr(reading.usage, field)
        if number is not None:
            attributes[name] = _int64(number) if isinstance(number, int) else number
    extra = [one.usage for one in reading.extra_usage]
    for name, numbers in (
        ("podtab.usage.extra_input_tokens", [usage.input_tokens for usage in extra]),
        ("podtab.usage.extra_output_tokens", [usage.output_tokens for usage in extra]),
    ):
        known = [number for number in numbers if number is not None]
        if known:
            attributes[name] = _int64(sum(known))


def _say_cost(attributes: Attributes, cost: Cost | Unpriced, naming: Naming) -> None:
    if isinstance(cost, Unpriced):
        attributes["podtab.unpriced.reason"] = cost.reason
        return
    total = float(cost.total_usd)
    attributes["podtab.cost.usd"] = total
    # A double is for sums in a backend; this is the amount.
    attributes["podtab.cost.usd_exact"] = exact(cost.total_usd)
    attributes["podtab.cost.source"] = cost.source.value
    attributes["podtab.cost.rule"] = clean(cost.rule)
    if cost.price_book:
        attributes["podtab.cost.price_book"] = clean(cost.price_book)
    if cost.remarks:
        attributes["podtab.cost.remarks"] = _words(cost.remarks)
    for alias in naming.cost_aliases:
        attributes[alias] = total
    if _PROPOSED_COST in naming.cost_aliases:
        attributes["gen_ai.usage.cost.currency"] = "USD"
        attributes["gen_ai.usage.cost.source"] = "provider" if cost.source is CostSource.PROVIDER else "local"
        for word, amount in _by_class(cost).items():
            attributes[f"gen_ai.usage.cost.{word}"] = float(amount)


def _by_class(cost: Cost) -> dict[str, Decimal]:
    amounts: dict[str, Decimal] = {}
    for line in cost.lines:
        word = _COST_CLASSES.get(line.unit)
        if word is not None:
            amounts[word] = amounts.get(word, Decimal(0)) + line.amount_usd
    return amounts


def exact(amount: Decimal) -> str:
    """Plain digits without an exponent or trailing zeros: 0.00024, not 2.40E-4."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _words(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(clean(word) for word in words[:_MAX_LISTED])


def _int64(number: int) -> int:
    """The wire has 64 bits; a count beyond them must not cost its span."""
    return max(min(number, 2**63 - 1), -(2**63))
