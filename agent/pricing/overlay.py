"""
Our own dated prices, ``prices/*.toml``: what the base book lacks or has wrong.  prices/README.md explains every key.

Entries are never edited: a price that changed is a new entry with a later ``from`` for the same models and conditions, which replaces
the earlier one as a whole from that day on.  More conditions win over fewer.  Multipliers add to each other.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fnmatch import translate
from importlib import resources
from typing import NamedTuple

from agent.model import Multiplier
from agent.pricing.rates import (
    ALL_UNITS,
    MAX_MODEL_LENGTH,
    TOKEN_UNITS,
    Factor,
    PriceBookError,
    Rate,
    Rates,
    Selector,
    Selectors,
)
from agent.pricing.units import UNITS, Unit

PER = {"per_one": 1, "per_thousand": 1000, "per_million": 10**6, "per_minute": 60, "per_hour": 3600}
_KEYS = {
    "models",
    "from",
    "source",
    "note",
    "when",
    "hours_utc",
    "weekdays",
    "multiply",
    "on",
    "minimum",
    "above",
    "withdrawn",
    *PER,
}
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DAY = 24 * 60


class Window(NamedTuple):
    """When a price holds: minutes of the day, from inclusive, to exclusive; and weekdays, Monday is 1."""

    hours: tuple[tuple[int, int], ...]
    weekdays: frozenset[int]

    def holds(self, at: datetime) -> bool:
        minute = at.hour * 60 + at.minute
        return (not self.weekdays or at.isoweekday() in self.weekdays) and (
            not self.hours or any(start <= minute < end for start, end in self.hours)
        )


_ALWAYS = Window((), frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One ``[[price]]`` block."""

    name: str
    """File and number, for messages and rules."""
    providers: tuple[str, ...]
    models: tuple[str, ...]
    pattern: re.Pattern[str]
    since: date
    source: str
    when: tuple[tuple[Selector, frozenset[str]], ...]
    window: Window
    by_unit: Mapping[Unit, Rate]
    factor: Decimal | None
    on: frozenset[Unit]
    withdrawn: bool

    @property
    def conditions(self) -> tuple[object, ...]:
        """An entry replaces the earlier one that has the same."""
        return self.models, self.when, self.window, self.factor is None

    def asked(self, selectors: Selectors) -> bool:
        return all(selectors.get(selector, "") in values for selector, values in self.when)

    @property
    def rank(self) -> int:
        return len(self.when) + (self.window != _ALWAYS)


class Overlay:
    """All entries, by provider."""

    def __init__(self, entries: Iterable[Entry], digest: str) -> None:
        self.entries = tuple(entries)
        self.digest = digest
        self._by_provider: dict[str, list[Entry]] = {}
        for entry in self.entries:
            for provider in entry.providers:
                self._by_provider.setdefault(provider, []).append(entry)

    @property
    def edition(self) -> str:
        """The last day on which a price of ours begins."""
        return max((entry.since for entry in self.entries), default=date.min).isoformat()

    def knows_provider(self, provider: str) -> bool:
        return provider in self._by_provider

    def rates(self, provider: str, model: str, base: Rates | None, *, at_ns: int, selectors: Selectors) -> Rates | None:
        """``base`` with what we know better; None where neither knows the model."""
        if len(model) > MAX_MODEL_LENGTH:
            return base
        entries = self._in_force(provider, _bare(provider, model), at_ns, selectors)
        if base is None and all(entry.models == ("*",) for entry in entries):
            return None
        priced = frozenset() if base is None else base.priced
        by_unit = {} if base is None else dict(base.by_unit)
        factors: list[Factor] = []
        named = set(priced)
        for entry in sorted(entries, key=lambda entry: (entry.rank, entry.since)):
            speaks_of = frozenset(selector for selector, _ in entry.when)
            named |= speaks_of
            for unit, rate in entry.by_unit.items():
                known = by_unit.get(unit)
                # Prices for any model fill gaps; a standard price of ours does not hide the base book's price for the tier served.
                gap = known is None or not known.exact
                if gap or (entry.models != ("*",) and priced <= speaks_of):
                    by_unit[unit] = rate
            if entry.factor is not None and entry.factor != 1:
                label = ",".join(f"{selector.value}={selectors[selector]}" for selector, _ in entry.when)
                factors.append(
                    Factor(multiplier=Multiplier(name=label or entry.name, factor=entry.factor), units=entry.on)
                )
        if base is None and not by_unit:
            return None
        ours = (f"{key.value}={selectors[key]}" for key in sorted(named - priced) if key in selectors)
        return Rates(
            rule=" ".join((f"{provider}/{model}" if base is None else base.rule, *ours)),
            by_unit=by_unit,
            priced=frozenset(named),
            unpriced=frozenset(selectors) - named,
            factors=tuple(factors),
        )

    def _in_force(self, provider: str, model: str, at_ns: int, selectors: Selectors) -> list[Entry]:
        at = datetime.fromtimestamp(at_ns / 1e9, UTC)
        latest: dict[tuple[object, ...], Entry] = {}
        for entry in self._by_provider.get(provider, ()):
            if entry.since <= at.date() and entry.pattern.fullmatch(model):
                before = latest.get(entry.conditions)
                if before is None or before.since <= entry.since:
                    latest[entry.conditions] = entry
        return [
            entry
            for entry in latest.values()
            if not entry.withdrawn and entry.window.holds(at) and entry.asked(selectors)
        ]


def bundled() -> Overlay:
    """The files that came with podtab."""
    folder = resources.files("agent.pricing") / "prices"
    files = sorted((file.name, file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".toml"))
    digest = hashlib.sha256()
    entries: list[Entry] = []
    for name, data in files:
        digest.update(data)
        entries += parse(data.decode("utf-8"), name.removesuffix(".toml"))
    return Overlay(entries, digest.hexdigest())


def parse(text: str, name: str) -> Iterator[Entry]:
    """The entries of one file; refused as a whole when one of them is broken."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise PriceBookError(f"{name}: not valid TOML: {error}") from None
    providers = data.get("providers")
    if not isinstance(providers, list) or not all(isinstance(one, str) for one in providers) or not providers:
        raise PriceBookError(f"{name}: providers must be a list of names")
    blocks = data.get("price", [])
    if set(data) - {"providers", "price"} or not isinstance(blocks, list):
        raise PriceBookError(f"{name}: only providers and [[price]] blocks are known")
    for number, block in enumerate(blocks, 1):
        where = f"{name}#{number}"
        try:
            yield _entry(where, tuple(providers), block)
        except (TypeError, ValueError, KeyError, AttributeError, InvalidOperation) as error:
            raise PriceBookError(f"{where}: {error}") from None


def _entry(where: str, providers: tuple[str, ...], block: Mapping[str, object]) -> Entry:
    unknown = set(block) - _KEYS
    if unknown:
        raise ValueError(f"unknown key {min(unknown)}")
    models = tuple(model.lower() for model in _texts(block["models"], "models"))
    since = block["from"]
    if isinstance(since, datetime) or not isinstance(since, date):
        raise TypeError("from must be a day, like 2026-09-01")
    source = block["source"]
    if not isinstance(source, str) or not source.startswith("https://"):
        raise ValueError("source must be an https address")
    when = block.get("when", {})
    if not isinstance(when, dict):
        raise TypeError("when must be a table")
    factor = block.get("multiply")
    on = block.get("on")
    return Entry(
        name=where,
        providers=providers,
        models=models,
        pattern=re.compile("|".join(f"(?:{translate(model)})" for model in models)),
        since=since,
        source=source,
        when=tuple(
            sorted((Selector(key), frozenset(v.lower() for v in _texts(value, key))) for key, value in when.items())
        ),
        window=_window(block),
        by_unit={unit: replace(rate, entry=where) for unit, rate in _by_unit(block).items()},
        factor=None if factor is None else _money(factor, "multiply"),
        on=TOKEN_UNITS if on is None else ALL_UNITS if on == "everything" else frozenset(map(_unit, _texts(on, "on"))),
        withdrawn=block.get("withdrawn") is True,
    )


def _texts(value: object, name: str) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(one, str) for one in values):
        raise TypeError(f"{name} must be a string or a list of strings")
    return values


def _unit(name: str) -> Unit:
    if name not in UNITS:
        raise ValueError(f"unknown unit {name}")
    return UNITS[name]


def _money(value: object, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError(f"{name} must be a number")
    amount = Decimal(value)
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{name} must not be below 0")
    return amount


def _tables(block: Mapping[str, object]) -> Iterator[tuple[Unit, int, Decimal]]:
    for key, per in PER.items():
        table = block.get(key, {})
        if not isinstance(table, dict):
            raise TypeError(f"{key} must be a table of units to dollars")
        for name, value in table.items():
            yield _unit(name), per, _money(value, name)


def _by_unit(block: Mapping[str, object]) -> dict[Unit, Rate]:
    found = {unit: Rate(price_usd=price, per=per) for unit, per, price in _tables(block)}
    cliffs = block.get("above", [])
    if not isinstance(cliffs, list):
        raise TypeError("above must be a list of tables")
    for cliff in sorted(cliffs, key=lambda cliff: -int(cliff["input_tokens"])):
        start = cliff["input_tokens"]
        for unit, per, price in _tables(cliff):
            rate = found[unit]
            if rate.per != per:
                raise ValueError(f"{unit} must be per {rate.per} above {start} too")
            found[unit] = replace(rate, tiers=(*rate.tiers, (start, price)))
    least = block.get("minimum", {})
    if not isinstance(least, dict):
        raise TypeError("minimum must be a table of units to quantities")
    for name, value in least.items():
        found[_unit(name)] = replace(found[_unit(name)], minimum=_money(value, name))
    return found


def _window(block: Mapping[str, object]) -> Window:
    hours = []
    for text in _texts(block["hours_utc"], "hours_utc") if "hours_utc" in block else ():
        found = _HOURS.fullmatch(text)
        if found is None:
            raise ValueError("hours_utc must be like 01:00-04:00")
        start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
        if not start < end <= _DAY:
            raise ValueError("hours_utc must not go over midnight: write two")
        hours.append((start, end))
    days = block.get("weekdays", [])
    if not isinstance(days, list) or not all(day in range(1, 8) for day in days):
        raise ValueError("weekdays must be a list of 1 (Monday) to 7")
    return Window(tuple(sorted(hours)), frozenset(days))


def _bare(provider: str, model: str) -> str:
    """Google writes resource names; the rest of the world writes models."""
    model = model.lower()
    return model.rpartition("/")[2] if provider.startswith("gcp.") else model


__all__ = ["Entry", "Overlay", "bundled", "parse"]
