"""
What one call cost: ``Pricer.price``.

What the response itself says it costs wins over every list, and what the customer says he pays wins over that.  Else leaves
(``leaves.py``) and measures (``units.py``) times rates (``book.py``), at the time the call ended.  An unknown price is ``Unpriced``
with a reason, what a price could not be found for is a remark: nothing is guessed in silence, and nothing odd is an exception.
"""

from __future__ import annotations

from decimal import Decimal

from agent.model import (
    Call,
    Cost,
    CostLine,
    CostSource,
    Evidence,
    ExtraUsage,
    Multiplier,
    Outcome,
    Reading,
    Unpriced,
    Usage,
)
from agent.pricing.book import Plan, PriceBook, Question
from agent.pricing.leaves import split, states_tokens
from agent.pricing.rates import Rates
from agent.pricing.units import (
    FREE_TOOLS,
    Measure,
    Unit,
    measures,
    seconds_of,
    states_measures,
    tool_measures,
    tool_quantity,
)

# Prices change at whole minutes (a test says so), so a rate found in a minute holds to its end.
_MINUTE_NS = 60 * 10**9
# Models × tiers that one node sees are some dozens; more are invented names, and then starting anew is cheap.
_MAX_REMEMBERED = 4096

_NOT_BILLED = frozenset({Outcome.RATE_LIMITED, Outcome.CLIENT_ERROR, Outcome.SERVER_ERROR})

# Providers round what they report; a cent in a dollar is no rounding.
_TOLERATED_SHARE = Decimal("0.01")

_NO_USAGE = Unpriced(reason="no_usage")
_NOT_BILLED_CALL = Unpriced(reason="not_billed")
_UNKNOWN_UNIT = Unpriced(reason="unknown_unit")
_ZERO = Decimal(0)
_ONE = Decimal(1)


class Pricer:
    """Construct it once: it remembers what it looked up."""

    def __init__(self, book: PriceBook | None = None) -> None:
        self.book = PriceBook() if book is None else book
        self._plans: dict[Question, tuple[int, Plan | Unpriced]] = {}

    @property
    def price_book(self) -> str:
        """Version and hash of the price data."""
        return self.book.version

    def use(self, book: PriceBook) -> None:
        """From the next call on; what was priced stays as it was."""
        self.book, self._plans = book, {}

    def price(self, call: Call) -> Cost | Unpriced:
        reading = call.reading
        if reading.evidence is Evidence.NOT_APPLICABLE:
            return _NOT_BILLED_CALL
        reported = reading.reported_cost_usd
        if reported is None:
            return self._by_the_book(call, ())
        if reported.is_finite() and reported >= 0:
            book = self._by_the_book(call, ())
            if isinstance(book, Cost) and book.source is CostSource.CUSTOMER:
                return book
            return _reported(call, reported, book)
        return self._by_the_book(call, ("reported_cost_invalid",))

    def _by_the_book(self, call: Call, remarks: tuple[str, ...]) -> Cost | Unpriced:
        reading, usage = call.reading, call.reading.usage
        stated = states_tokens(usage) or states_measures(usage)
        if not stated and call.outcome in _NOT_BILLED:
            return _NOT_BILLED_CALL
        plan = self._plan(call, reading.served_model, reading.requested_model)
        if isinstance(plan, Unpriced):
            if stated and reading.usage_by_model:
                return self._by_model(call, remarks, plan)
            if not stated and reading.extra_usage:
                return self._extras_alone(call, remarks)
            return plan if stated or reading.server_tool_calls else _NO_USAGE
        rates = plan.rates
        # A price by the call or by the second needs no usage.
        by_the_call = rates.source is CostSource.CUSTOMER and (
            Measure.GPU_SECOND in rates.by_unit or Measure.REQUEST in rates.by_unit
        )
        if not stated and not by_the_call and not _tools(reading):
            return self._extras_alone(call, remarks) if reading.extra_usage else _NO_USAGE
        bill = _Bill([*reading.remarks, *plan.remarks])
        bill.add(usage, rates)
        if Measure.REQUEST in rates.by_unit and (by_the_call or stated):
            bill.add_line(Measure.REQUEST, _ONE, rates, 0, "")
        if Measure.GPU_SECOND in rates.by_unit:
            bill.add_line(Measure.GPU_SECOND, seconds_of(call) * rates.gpus, rates, 0, "")
        bill.add_tools(reading, rates)
        if not bill.certain:
            return _UNKNOWN_UNIT
        for extra in reading.extra_usage:
            self._add_extra(bill, call, extra)
        bill.remarks += remarks
        return bill.cost(rates, self.book.version)

    def _extras_alone(self, call: Call, remarks: tuple[str, ...]) -> Cost | Unpriced:
        """A guardrail asked by itself: no model, and yet a bill."""
        bill = _Bill([*call.reading.remarks, *remarks])
        for extra in call.reading.extra_usage:
            self._add_extra(bill, call, extra)
        if not bill.lines:
            return _NO_USAGE
        return bill.cost(Rates(rule=f"{call.provider} extra", by_unit={}), self.book.version)

    def _by_model(self, call: Call, remarks: tuple[str, ...], otherwise: Unpriced) -> Cost | Unpriced:
        """A name that has no price, and models behind it that have: each costs what it did."""
        bill = _Bill([*call.reading.remarks, *remarks])
        rates = Rates(rule=f"{call.provider} by model", by_unit={})
        for part in call.reading.usage_by_model:
            plan = self._plan(call, part.model, "")
            if isinstance(plan, Unpriced):
                bill.remarks.append("part_unpriced")
                continue
            bill.remarks += plan.remarks
            bill.add(part.usage, plan.rates, prefix=f"{part.model} ")
        if not bill.lines:
            return otherwise
        bill.add_tools(call.reading, rates)
        for extra in call.reading.extra_usage:
            self._add_extra(bill, call, extra)
        return bill.cost(rates, self.book.version)

    def _add_extra(self, bill: _Bill, call: Call, extra: ExtraUsage) -> None:
        if not states_tokens(extra.usage) and not states_measures(extra.usage):
            return
        reading = call.reading
        if extra.usage.guardrail_units:
            plan = self._plan(call, f"guardrail/{extra.kind.removeprefix('guardrail_')}", "")
        elif extra.model:
            plan = self._plan(call, extra.model, "")
        else:
            plan = self._plan(call, reading.served_model, reading.requested_model)
        if isinstance(plan, Unpriced):
            bill.remarks.append("extra_unpriced")
            return
        bill.remarks += plan.remarks
        bill.add(extra.usage, plan.rates, prefix=f"{extra.kind} ")

    def _plan(self, call: Call, served: str, requested: str) -> Plan | Unpriced:
        reading = call.reading
        question = Question(
            call.provider,
            call.host,
            served,
            requested,
            reading.service_tier,
            reading.speed,
            reading.inference_geo,
            "batch" in call.api,
            reading.variant,
        )
        minute = call.ended_at_ns // _MINUTE_NS
        found = self._plans.get(question)
        if found is not None and found[0] == minute:
            return found[1]
        if len(self._plans) >= _MAX_REMEMBERED:
            self._plans.clear()
        plan = self.book.plan(question, call.ended_at_ns)
        self._plans[question] = (minute, plan)
        return plan


class _Bill:
    """The lines of one call while they are added up."""

    __slots__ = ("_entries", "_factors", "certain", "lines", "list_usd", "remarks", "threshold")

    def __init__(self, remarks: list[str]) -> None:
        self.lines: list[CostLine] = []
        self.list_usd = _ZERO
        """What the lines cost without contracts."""
        self.remarks = remarks
        self.certain = False
        """At least one count had a price, or there was nothing to count."""
        self.threshold = 0
        """The highest long-context threshold that was crossed."""
        self._factors: dict[Multiplier, bool] = {}
        self._entries: list[str] = []
        """The overlay's entries that a line went by."""

    def add(self, usage: Usage, rates: Rates, *, prefix: str = "") -> None:
        leaves = split(usage)
        self.remarks += leaves.remarks
        for unit, count in leaves.counts:
            if self.add_line(unit, Decimal(count), rates, leaves.input_tokens, prefix):
                self.certain = True
            else:
                self.remarks.append(f"{unit}_not_priced")
        counted = bool(leaves.counts)
        if states_measures(usage):
            counted = True
            by_tokens = self.certain
            for measure, quantity in measures(usage):
                if self.add_line(measure, quantity, rates, leaves.input_tokens, prefix):
                    self.certain = True
                elif not by_tokens or not _described_by_tokens(measure, usage):
                    self.remarks.append("units_not_priced")
        if not counted:
            self.certain = True

    def add_tools(self, reading: Reading, rates: Rates) -> None:
        for name, calls in _tools(reading):
            for measure in tool_measures(name):
                if self.add_line(measure, Decimal(tool_quantity(measure, calls)), rates, 0, ""):
                    self.certain = True
                    if measure is Measure.CODE_SESSION:
                        # A container lives for minutes: the next answer may use the same one.
                        self.remarks.append("session_assumed")
                    break
            else:
                self.remarks.append("tools_not_priced")

    def add_line(self, unit: Unit, quantity: Decimal, rates: Rates, input_tokens: int, prefix: str) -> bool:
        rate = rates.by_unit.get(unit)
        if rate is None:
            return False
        price = rate.price_usd
        for start, tier_price in rate.tiers:
            if input_tokens > start:
                price = tier_price
                self.threshold = max(self.threshold, start)
                break
        if rate.entry and rate.entry not in self._entries:
            self._entries.append(rate.entry)
        if quantity < rate.minimum:
            quantity = rate.minimum
            self.remarks.append("minimum_billed")
        amount = list_amount = price * quantity / rate.per
        multiplier = _ONE
        for factor in rates.factors:
            if unit in factor.units:
                multiplier *= factor.multiplier.factor
                amount *= factor.multiplier.factor
                if not factor.contract:
                    list_amount *= factor.multiplier.factor
                self._factors[factor.multiplier] = self._factors.get(factor.multiplier, False) or factor.contract
        self.list_usd += list_amount
        self.lines.append(
            CostLine(
                unit=prefix + unit if prefix else unit.value,
                quantity=quantity,
                amount_usd=amount,
                price_usd=price,
                per=rate.per,
                multiplier=multiplier,
            )
        )
        if not rate.exact and unit.startswith("cache_write_"):
            self.remarks.append(f"{unit}_not_priced")
        return True

    def cost(self, rates: Rates, price_book: str) -> Cost:
        total = sum([line.amount_usd for line in self.lines], _ZERO)
        crossed = (f"input>{self.threshold}",) if self.threshold else ()
        return Cost(
            total_usd=total,
            lines=tuple(self.lines),
            source=rates.source,
            rule=" ".join((rates.rule, *self._entries, *crossed)) if self._entries or crossed else rates.rule,
            price_book=price_book,
            remarks=tuple(dict.fromkeys(self.remarks)),
            multipliers=tuple(self._factors),
            list_usd=self.list_usd if any(self._factors.values()) else None,
        )


def recompute(cost: Cost) -> Decimal:
    """The total again, from nothing but what the entry itself keeps: rates, quantities, multipliers."""
    if cost.source is CostSource.PROVIDER:
        return sum([line.amount_usd for line in cost.lines], _ZERO)
    return sum([line.price_usd * line.quantity / line.per * line.multiplier for line in cost.lines], _ZERO)


def _tools(reading: Reading) -> list[tuple[str, int]]:
    return [(name, calls) for name, calls in reading.server_tool_calls.items() if calls > 0 and name not in FREE_TOOLS]


def _described_by_tokens(measure: Measure, usage: Usage) -> bool:
    """Some answers state the length of a sound, or the number of pictures, beside the tokens that they are billed by."""
    match measure:
        case Measure.AUDIO_SECOND:
            return bool(usage.audio_input_tokens)
        case Measure.OUTPUT_AUDIO_SECOND:
            return bool(usage.audio_output_tokens)
        case Measure.IMAGE:
            return bool(usage.image_output_tokens or usage.output_tokens)
        case Measure.CHARACTER:
            return bool(usage.input_tokens)
        case _:
            return False


def _reported(call: Call, amount: Decimal, book: Cost | Unpriced) -> Cost:
    """The response's own figure; the book is asked all the same, because where they part one of them is wrong."""
    remarks = call.reading.remarks
    if isinstance(book, Cost):
        listed = book.total_usd if book.list_usd is None else book.list_usd
        if abs(listed - amount) > amount * _TOLERATED_SHARE:
            remarks = (*remarks, "price_book_differs")
        if book.list_usd is not None:
            remarks = (*remarks, "contract_not_applied")
    return Cost(
        total_usd=amount,
        lines=(CostLine(unit="reported", quantity=_ONE, amount_usd=amount, price_usd=amount),),
        source=CostSource.PROVIDER,
        rule="reported in the response",
        price_book="",
        remarks=remarks,
    )
