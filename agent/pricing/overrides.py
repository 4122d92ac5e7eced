"""
What the customer knows better than any list: names, prices, contracts, currencies.  One YAML file; docs/pricing.md explains it.

Refused as a whole when anything in it is broken, with file, line and reason: half a contract is no contract.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fnmatch import translate
from typing import NoReturn, TypeVar

import yaml

from agent.model import PodtabError
from agent.pricing.overlay import PER
from agent.pricing.rates import ALL_UNITS, TOKEN_UNITS, Rate
from agent.pricing.units import UNITS, Measure, Unit

_T = TypeVar("_T")

# A contract with a thousand lines is below this; YAML is slow and greedy.
MAX_TEXT_CHARS = 1024 * 1024

_SECTIONS = ("currencies", "aliases", "prices", "discounts")
_WHO = ("provider", "host", "model")
_WHEN = ("from", "until")


class OverridesError(PodtabError):
    """The customers' file can't be used; the message names file, line and reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Which calls an entry is for; what is not named is any.  Names are globs, compared in lower case."""

    provider: re.Pattern[str] | None = None
    host: re.Pattern[str] | None = None
    model: re.Pattern[str] | None = None
    since: date = date.min
    until: date = date.max
    """The last day."""

    def fits(self, provider: str, host: str, models: Iterable[str], day: date) -> bool:
        return (
            self.since <= day <= self.until
            and (self.provider is None or self.provider.fullmatch(provider) is not None)
            and (self.host is None or self.host.fullmatch(host) is not None)
            and (self.model is None or any(self.model.fullmatch(model) for model in models if model))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name on the wire that is no model's name."""

    line: int
    who: Who
    provider: str
    """"" keeps the call's."""
    model: str
    region: str
    service_tier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPrice:
    """What the customer pays, by the unit; instead of any list."""

    line: int
    who: Who
    name: str
    by_unit: Mapping[Unit, Rate]
    gpus: Decimal
    free: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    line: int
    who: Who
    name: str
    factor: Decimal
    on: frozenset[Unit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """In each list the first entry that fits decides; discounts all apply, one after the other."""

    digest: str = ""
    aliases: tuple[Alias, ...] = ()
    prices: tuple[OwnPrice, ...] = ()
    discounts: tuple[Discount, ...] = ()

    def alias(self, provider: str, host: str, models: Iterable[str], day: date) -> Alias | None:
        return next((one for one in self.aliases if one.who.fits(provider, host, models, day)), None)

    def price(self, provider: str, host: str, models: Iterable[str], day: date) -> OwnPrice | None:
        return next((one for one in self.prices if one.who.fits(provider, host, models, day)), None)

    def discounts_for(self, provider: str, host: str, models: Iterable[str], day: date) -> list[Discount]:
        return [one for one in self.discounts if one.who.fits(provider, host, models, day)]


def parse(text: str, origin: str) -> Overrides:
    """The whole file, or ``OverridesError``; ``origin`` names the file in messages."""
    return _Parser(origin).parse(text)


class _Parser:
    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._usd_per: dict[str, Decimal] = {"USD": Decimal(1)}

    def _refuse(self, node: yaml.Node | None, reason: str) -> NoReturn:
        where = f", line {node.start_mark.line + 1}" if node is not None else ""
        raise OverridesError(f"{self._origin}{where}: {reason}")

    def parse(self, text: str) -> Overrides:
        if len(text) > MAX_TEXT_CHARS:
            self._refuse(None, f"longer than {MAX_TEXT_CHARS:,} characters")
        try:
            root = yaml.compose(text, yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise OverridesError(f"{self._origin}{line}: not valid YAML: {error.problem or 'syntax error'}") from None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise OverridesError(f"{self._origin}: not valid YAML ({type(error).__name__})") from None
        if root is None:
            return Overrides(digest=hashlib.sha256(text.encode()).hexdigest())
        sections = self._mapping(root, _SECTIONS)
        for code, node in self._pairs(sections.get("currencies")):
            if not re.fullmatch(r"[A-Z]{3}", code):
                self._refuse(node, "a currency is three capital letters, like EUR")
            self._usd_per[code] = self._number(node, above_zero=True)
        return Overrides(
            digest=hashlib.sha256(text.encode()).hexdigest(),
            aliases=tuple(self._alias(node) for node in self._items(sections.get("aliases"))),
            prices=tuple(self._own_price(node) for node in self._items(sections.get("prices"))),
            discounts=tuple(self._discount(node) for node in self._items(sections.get("discounts"))),
        )

    # ------------------------------------------------------------------------------------------------------------ entries

    def _alias(self, node: yaml.Node) -> Alias:
        keys = self._mapping(node, (*_WHO, *_WHEN, "is", "region", "service_tier"))
        if "is" not in keys:
            self._refuse(node, "an alias needs `is: MODEL` or `is: PROVIDER/MODEL`")
        target = self._text(keys["is"])
        # Models have slashes too; a provider's name is one that the price book or OpenTelemetry could have.
        provider, slash, model = target.partition("/")
        if not slash or not re.fullmatch(r"[a-z][a-z0-9_.]*", provider):
            provider, model = "", target
        return Alias(
            line=node.start_mark.line + 1,
            who=self._who(node, keys),
            provider=provider,
            model=model,
            region=self._text(keys["region"]).lower() if "region" in keys else "",
            service_tier=self._text(keys["service_tier"]).lower() if "service_tier" in keys else "",
        )

    def _own_price(self, node: yaml.Node) -> OwnPrice:
        keys = self._mapping(node, (*_WHO, *_WHEN, *PER, "currency", "free", "flat", "gpu_second", "gpus", "name"))
        rate = self._currency(keys.get("currency"))
        by_unit: dict[Unit, Rate] = {}
        for key, per in PER.items():
            for name, value in self._pairs(keys.get(key)):
                by_unit[self._unit(value, name)] = Rate(price_usd=self._number(value) * rate, per=per)
        if "flat" in keys:
            by_unit[Measure.REQUEST] = Rate(price_usd=self._number(keys["flat"]) * rate, per=1)
        if "gpu_second" in keys:
            by_unit[Measure.GPU_SECOND] = Rate(price_usd=self._number(keys["gpu_second"]) * rate, per=1)
        if "gpus" in keys and Measure.GPU_SECOND not in by_unit:
            self._refuse(keys["gpus"], "gpus means something only beside gpu_second")
        free = "free" in keys and self._boolean(keys["free"])
        if free == bool(by_unit):
            self._refuse(node, "a price needs either `free: true` or at least one price")
        if free:
            by_unit = {unit: Rate(price_usd=Decimal(0), per=1) for unit in ALL_UNITS - {Measure.GPU_SECOND}}
        elif Measure.REQUEST in by_unit or Measure.GPU_SECOND in by_unit:
            # Who pays by the call or by the second pays nothing more for tokens.
            by_unit |= {unit: Rate(price_usd=Decimal(0), per=1) for unit in ALL_UNITS if unit not in by_unit}
        else:
            _widen(by_unit)
        line = node.start_mark.line + 1
        return OwnPrice(
            line=line,
            who=self._who(node, keys),
            name=self._text(keys["name"]) if "name" in keys else f"price in line {line}",
            by_unit=by_unit,
            free=free,
            gpus=self._number(keys["gpus"], above_zero=True) if "gpus" in keys else Decimal(1),
        )

    def _discount(self, node: yaml.Node) -> Discount:
        keys = self._mapping(node, (*_WHO, *_WHEN, "percent", "on", "contract"))
        if "percent" not in keys:
            self._refuse(node, "a discount needs `percent`; a surcharge is below 0")
        percent = self._number(keys["percent"], negative=True)
        if not -1000 <= percent <= 100:
            self._refuse(keys["percent"], "percent must be between -1000 and 100")
        on = ALL_UNITS
        if "on" in keys:
            on = frozenset(self._unit(one, self._text(one)) for one in self._items(keys["on"]))
        line = node.start_mark.line + 1
        return Discount(
            line=line,
            who=self._who(node, keys),
            name=self._text(keys["contract"]) if "contract" in keys else f"discount in line {line}",
            factor=(100 - percent) / 100,
            on=on,
        )

    def _who(self, node: yaml.Node, keys: Mapping[str, yaml.Node]) -> Who:
        if not any(key in keys for key in _WHO):
            self._refuse(node, "name at least one of provider, host, model (`*` is any)")
        since = self._day(keys["from"]) if "from" in keys else date.min
        until = self._day(keys["until"]) if "until" in keys else date.max
        if until < since:
            self._refuse(keys["until"], "until is before from")
        return Who(
            provider=self._glob(keys.get("provider")),
            host=self._glob(keys.get("host")),
            model=self._glob(keys.get("model")),
            since=since,
            until=until,
        )

    # ------------------------------------------------------------------------------------------------------------- values

    def _mapping(self, node: yaml.Node, known: Iterable[str]) -> dict[str, yaml.Node]:
        found: dict[str, yaml.Node] = {}
        for key, value in self._pairs(node):
            if key not in known:
                self._refuse(value, f"unknown key {key[:40]!r} (known here: {', '.join(known)})")
            found[key] = value
        return found

    def _pairs(self, node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
        if node is None or _is_null(node):
            return
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node, "must be a mapping of keys to values")
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                self._refuse(key, "a key stands twice in one mapping, or is no word")
            seen.add(key.value)
            yield key.value, value

    def _items(self, node: yaml.Node | None) -> list[yaml.Node]:
        if node is None or _is_null(node):
            return []
        if not isinstance(node, yaml.SequenceNode):
            self._refuse(node, "must be a list")
        return list(node.value)

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value or len(node.value) > 512:
            self._refuse(node, "must be a text")
        return str(node.value)

    def _glob(self, node: yaml.Node | None) -> re.Pattern[str] | None:
        return None if node is None else re.compile(translate(self._text(node).lower()))

    def _boolean(self, node: yaml.Node) -> bool:
        if self._text(node) not in ("true", "false"):
            self._refuse(node, "must be true or false")
        return bool(node.value == "true")

    def _number(self, node: yaml.Node, *, above_zero: bool = False, negative: bool = False) -> Decimal:
        text = self._text(node)
        # As it stands in the file: a float would make 0.1 something else.
        number = self._converted(node, lambda: Decimal(text), "must be a number")
        if not number.is_finite() or abs(number) > 10**12:
            self._refuse(node, "must be a number that money can be")
        if (number <= 0 and above_zero) or (number < 0 and not negative):
            self._refuse(node, "must be above 0" if above_zero else "must not be below 0")
        return number

    def _day(self, node: yaml.Node) -> date:
        text = self._text(node)
        return self._converted(node, lambda: date.fromisoformat(text), "must be a day, like 2026-09-01")

    def _converted(self, node: yaml.Node, convert: Callable[[], _T], complaint: str) -> _T:
        try:
            return convert()
        except (ValueError, InvalidOperation):
            self._refuse(node, complaint)

    def _currency(self, node: yaml.Node | None) -> Decimal:
        if node is None:
            return Decimal(1)
        code = self._text(node)
        if code not in self._usd_per:
            self._refuse(node, f"no rate for {code[:3]!r}: add it under currencies, in dollars for one of it")
        return self._usd_per[code]

    def _unit(self, node: yaml.Node, name: str) -> Unit:
        if name not in UNITS:
            self._refuse(node, f"unknown unit {name[:40]!r} (known: {', '.join(UNITS)})")
        return UNITS[name]


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _widen(by_unit: dict[Unit, Rate]) -> None:
    """Who names only input and output means all input and all output."""
    for wide in (UNITS["input"], UNITS["output"]):
        if wide not in by_unit:
            continue
        outgoing = wide == UNITS["output"]
        for unit in TOKEN_UNITS:
            if unit.startswith(("output", "reasoning")) == outgoing:
                by_unit.setdefault(unit, by_unit[wide])


def day_of(at_ns: int) -> date:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).date()
