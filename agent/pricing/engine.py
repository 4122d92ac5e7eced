"""
What one call cost: ``Pricer.price``.

What the response itself says it costs wins.  Else leaves (``leaves.py``) times rates (``catalog.py``): the served model first, then the
requested one, with the served tier and speed, at the time the call ended.  An unknown price is ``Unpriced`` with a reason, a dimension
that the price book does not know is a remark: nothing is guessed in silence.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from agent.model import Call, Cost, CostLine, CostSource, Evidence, ExtraUsage, Outcome, Reading, Unpriced, Usage
from agent.pricing.catalog import Catalog, PriceBookError, Rates, Selectors, ToolType, Unit
from agent.pricing.leaves import split, states_tokens

# Prices change at whole minutes (a test says so), so a rate found in a minute holds to its end.
_MINUTE_NS = 60 * 10**9
# Models × tiers that one node sees are some dozens; more are invented names, and then starting anew is cheap.
_MAX_REMEMBERED = 4096

_STANDARD_TIERS = frozenset({"", "default", "standard", "auto", "on_demand", "unspecified", "traffic_type_unspecified"})
_STANDARD_SPEEDS = frozenset({"", "standard", "normal"})
_STANDARD_GEOS = frozenset({"", "global", "not_available"})
# The provider's own tools that are billed by the call, in each API's word.
_SEARCHES = {
    "web_search": ToolType.WEB_SEARCH,
    "file_search": ToolType.STORAGE_SEARCH,
}
# Those that cost nothing beside their tokens; any other gets a remark.
_FREE_TOOLS = frozenset({"web_fetch", "mcp", "image_generation"})
_NOT_BILLED = frozenset({Outcome.RATE_LIMITED, Outcome.CLIENT_ERROR, Outcome.SERVER_ERROR})

# Providers round what they report; a cent in a dollar is no rounding.
_TOLERATED_SHARE = Decimal("0.01")

_NO_USAGE = Unpriced(reason="no_usage")
_NOT_BILLED_CALL = Unpriced(reason="not_billed")
_UNKNOWN_PROVIDER = Unpriced(reason="unknown_provider")
_UNKNOWN_MODEL = Unpriced(reason="unknown_model")
_UNKNOWN_UNIT = Unpriced(reason="unknown_unit")
_BOOK_ERROR = Unpriced(reason="price_book_error")


class _Plan(NamedTuple):
    """All that can be known before the tokens are."""

    rates: Rates
    remarks: tuple[str, ...]


class _Key(NamedTuple):
    provider: str
    served: str
    requested: str
    tier: str
    speed: str
    geo: str


class Pricer:
    """Construct it once: it remembers what it looked up."""

    def __init__(self, catalog: Catalog | None = None) -> None:
        self._catalog = Catalog() if catalog is None else catalog
        self._plans: dict[_Key, tuple[int, _Plan | Unpriced]] = {}

    @property
    def price_book(self) -> str:
        """Version and hash of the price data."""
        return self._catalog.version

    def price(self, call: Call) -> Cost | Unpriced:
        reading = call.reading
        if reading.evidence is Evidence.NOT_APPLICABLE:
            return _NOT_BILLED_CALL
        reported = reading.reported_cost_usd
        if reported is None:
            return self._by_the_book(call, ())
        if reported.is_finite() and reported >= 0:
            return _reported(call, reported, self._by_the_book(call, ()))
        return self._by_the_book(call, ("reported_cost_invalid",))

    def _by_the_book(self, call: Call, remarks: tuple[str, ...]) -> Cost | Unpriced:
        reading = call.reading
        usage = reading.usage
        if not states_tokens(usage):
            if _other_units(usage):
                return _UNKNOWN_UNIT
            return _NOT_BILLED_CALL if call.outcome in _NOT_BILLED else _NO_USAGE
        plan = self._plan(call, reading.served_model, reading.requested_model)
        if isinstance(plan, Unpriced):
            return plan
        bill = _Bill([*reading.remarks, *plan.remarks])
        bill.add(usage, plan.rates)
        bill.add_tools(reading, plan.rates)
        if not bill.certain:
            return _UNKNOWN_UNIT
        for extra in reading.extra_usage:
            self._add_extra(bill, call, extra)
        bill.remarks += remarks
        rule = plan.rates.rule
        return Cost(
            total_usd=sum([line.amount_usd for line in bill.lines], _ZERO),
            lines=tuple(bill.lines),
            source=CostSource.PRICE_BOOK,
            rule=f"{rule} input>{bill.threshold}" if bill.threshold else rule,
            price_book=self._catalog.version,
            remarks=tuple(dict.fromkeys(bill.remarks)),
        )

    def _add_extra(self, bill: _Bill, call: Call, extra: ExtraUsage) -> None:
        if not states_tokens(extra.usage):
            return
        if extra.model:
            plan = self._plan(call, extra.model, "")
        else:
            plan = self._plan(call, call.reading.served_model, call.reading.requested_model)
        if isinstance(plan, Unpriced):
            bill.remarks.append("extra_unpriced")
            return
        bill.remarks += plan.remarks
        bill.add(extra.usage, plan.rates, prefix=f"{extra.kind} ")

    def _plan(self, call: Call, served: str, requested: str) -> _Plan | Unpriced:
        reading = call.reading
        key = _Key(call.provider, served, requested, reading.service_tier, reading.speed, reading.inference_geo)
        minute = call.ended_at_ns // _MINUTE_NS
        found = self._plans.get(key)
        if found is not None and found[0] == minute:
            return found[1]
        if len(self._plans) >= _MAX_REMEMBERED:
            self._plans.clear()
        plan = self._look_up(key, call.ended_at_ns)
        self._plans[key] = (minute, plan)
        return plan

    def _look_up(self, key: _Key, at_ns: int) -> _Plan | Unpriced:
        if not self._catalog.knows_provider(key.provider):
            return _UNKNOWN_PROVIDER
        selectors = _selectors(key)
        remarks: list[str] = []
        try:
            rates = self._catalog.rates(key.provider, key.served, at_ns=at_ns, selectors=selectors)
            if rates is None:
                rates = self._catalog.rates(key.provider, key.requested, at_ns=at_ns, selectors=selectors)
                if rates is None:
                    return _UNKNOWN_MODEL
                if key.served:
                    remarks.append("requested_model_priced")
        except PriceBookError:
            return _BOOK_ERROR
        if not {"service_tier", "processing"}.isdisjoint(rates.unpriced_selectors):
            remarks.append("tier_not_priced")
        if "speed" in rates.unpriced_selectors:
            remarks.append("speed_not_priced")
        if key.geo.lower() not in _STANDARD_GEOS:
            remarks.append("geo_not_priced")
        return _Plan(rates, tuple(remarks))


_ZERO = Decimal(0)


class _Bill:
    """The lines of one call while they are added up."""

    __slots__ = ("certain", "lines", "remarks", "threshold")

    def __init__(self, remarks: list[str]) -> None:
        self.lines: list[CostLine] = []
        self.remarks = remarks
        self.certain = False
        """At least one count had a price, or there was nothing to count."""
        self.threshold = 0
        """The highest long-context threshold that was crossed."""

    def add(self, usage: Usage, rates: Rates, *, prefix: str = "") -> None:
        leaves = split(usage)
        self.remarks += leaves.remarks
        if not leaves.counts:
            self.certain = True
        for unit, count in leaves.counts:
            if self._add_line(unit, count, rates, leaves.input_tokens, prefix):
                self.certain = True
            else:
                self.remarks.append(f"{unit}_not_priced")
        if _other_units(usage):
            self.remarks.append("units_not_priced")

    def add_tools(self, reading: Reading, rates: Rates) -> None:
        if ToolType.REQUEST in rates.by_unit:
            self._add_line(ToolType.REQUEST, 1, rates, 0, "")
        for name, count in reading.server_tool_calls.items():
            if count <= 0 or name in _FREE_TOOLS:
                continue
            unit = _SEARCHES.get(name)
            if unit is None or not self._add_line(unit, count, rates, 0, ""):
                self.remarks.append("tools_not_priced")

    def _add_line(self, unit: Unit, count: int, rates: Rates, input_tokens: int, prefix: str) -> bool:
        rate = rates.by_unit.get(unit)
        if rate is None:
            return False
        price = rate.price_usd
        for start, tier_price in rate.tiers:
            if input_tokens > start:
                price = tier_price
                self.threshold = max(self.threshold, start)
                break
        quantity = Decimal(count)
        self.lines.append(
            CostLine(
                unit=prefix + unit if prefix else unit.value, quantity=quantity, amount_usd=price * quantity / rate.per
            )
        )
        if not rate.exact and unit == "cache_write_1h":
            self.remarks.append("cache_write_1h_not_priced")
        return True


def _other_units(usage: Usage) -> bool:
    return bool(usage.audio_seconds or usage.pages or usage.search_units)


def _reported(call: Call, amount: Decimal, book: Cost | Unpriced) -> Cost:
    """The response's own figure; the book is asked all the same, because where they part one of them is wrong."""
    remarks = call.reading.remarks
    if isinstance(book, Cost) and abs(book.total_usd - amount) > amount * _TOLERATED_SHARE:
        remarks = (*remarks, "price_book_differs")
    return Cost(
        total_usd=amount,
        lines=(CostLine(unit="reported", quantity=_ONE, amount_usd=amount),),
        source=CostSource.PROVIDER,
        rule="reported in the response",
        price_book="",
        remarks=remarks,
    )


_ONE = Decimal(1)


def _selectors(key: _Key) -> Selectors:
    tier = key.tier.lower().removeprefix("service_tier_").removeprefix("on_demand_")
    speed = key.speed.lower()
    return Selectors(
        service_tier="" if tier in _STANDARD_TIERS or tier == "batch" else tier,
        batch=tier == "batch",
        speed="" if speed in _STANDARD_SPEEDS else speed,
    )
