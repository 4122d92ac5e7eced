"""
A YAML file into frozen dataclasses: the type hints are the schema.

Unknown and duplicate keys are refused, every value is checked once, and an error names the key, what is allowed there and
what kind of thing was found; never the value itself, because people paste secrets into the wrong place.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import math
import types
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from agent.model import PodtabError

T = TypeVar("T")

# A full configuration is below 10 KB; more is not a configuration, and YAML is slow and greedy.
MAX_TEXT_CHARS = 1024 * 1024

_SIZE_SUFFIXES = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class ConfigError(PodtabError):
    """The configuration can't be used; the message names the key and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Bounds of a number, both allowed."""

    low: float
    high: float

    def complaint(self, value: float) -> str:
        return "" if self.low <= value <= self.high else f"must be between {self.low:,.15g} and {self.high:,.15g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A number of bytes, also written as ``8MiB``; a power of two where the kernel wants one."""

    low: int
    high: int
    power_of_two: bool = False

    def complaint(self, value: float) -> str:
        if not self.low <= value <= self.high:
            return f"must be between {size_text(self.low)} and {size_text(self.high)}"
        if self.power_of_two and int(value) & (int(value) - 1):
            return "must be a power of two"
        return ""


Bounds = Range | Size


def parse(text: str, origin: str) -> dict[Hashable, object]:
    """The top-level mapping of a YAML text; ``origin`` names the text in errors.  An empty text is an empty mapping."""
    if len(text) > MAX_TEXT_CHARS:
        raise ConfigError(f"{origin}: longer than {MAX_TEXT_CHARS:,} characters, so it is no configuration file")
    try:
        data = yaml.load(text, _StrictLoader)  # noqa: S506 - it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{origin}{where}: not valid YAML: {error.problem or 'syntax error'}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{origin}: not valid YAML ({type(error).__name__})") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{origin}: must be a mapping of keys to values, not {_kind(data)}")
    return data


def build(cls: type[T], data: Mapping[Hashable, object], origin: str) -> T:
    """An instance of the dataclass ``cls`` from parsed YAML; what ``data`` leaves out keeps its default."""
    return _build(cls, data, origin, "")


def insert(data: dict[Hashable, object], cls: type[object], path: str, value: str, origin: str) -> None:
    """Put ``value``, a text from the command line, where the dotted ``path`` says, converted to the type wanted there."""
    *sections, leaf = path.split(".")
    hint: object = cls
    for number, name in enumerate((*sections, leaf)):
        known = get_type_hints(hint, include_extras=True) if isinstance(hint, type) else {}
        if name not in known:
            raise ConfigError(f"{origin}: {_unknown('.'.join(path.split('.')[: number + 1]), name, known)}")
        hint = known[name]
    base, bounds = _strip(hint)
    converted: object = value
    if base in (int, float, bool) and not isinstance(bounds, Size):
        converted = parse(f"value: {value}", origin).get("value")
    elif not isinstance(base, type):
        converted = [item.strip() for item in value.split(",") if item.strip()]
    for name in sections:
        below = data.get(name)
        if below is None:
            below = data[name] = {}
        if not isinstance(below, dict):
            raise ConfigError(f"{origin}: {name} is {_kind(below)} in the file, so {path} can't be set below it")
        data = below
    data[leaf] = converted


def size_text(count: int) -> str:
    """8388608 → 8MiB; what is not round stays a plain number."""
    for suffix, unit in reversed(_SIZE_SUFFIXES.items()):
        if count >= unit and count % unit == 0:
            return f"{count // unit}{suffix}"
    return str(count)


class _StrictLoader(yaml.SafeLoader):
    """Plain YAML takes the last of two equal keys and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem="a key stands twice in one mapping", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _build(cls: type[T], data: object, origin: str, path: str) -> T:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{origin}: {path} must be a mapping of keys to values, not {_kind(data)}")
    hints = get_type_hints(cls, include_extras=True)
    values: dict[str, object] = {}
    for key, value in data.items():
        name = str(key)
        below = f"{path}.{name}" if path else name
        if name not in hints:
            raise ConfigError(f"{origin}: {_unknown(below, name, hints)}")
        values[name] = _value(hints[name], value, origin, below)
    return cls(**values)


def _value(hint: object, value: object, origin: str, path: str) -> object:
    base, bounds = _strip(hint)

    def refuse(allowed: str) -> ConfigError:
        return ConfigError(f"{origin}: {path} must be {allowed}, not {_kind(value)}")

    if isinstance(base, type) and dataclasses.is_dataclass(base):
        # `section:` with nothing below it is an empty section, as people comment lines out.
        return _build(base, {} if value is None else value, origin, path)
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return _choice(base, value, origin, path)
    if get_origin(base) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise refuse("a list of strings")
        return tuple(value)
    if get_origin(base) is Mapping:
        if not isinstance(value, dict) or not all(isinstance(item, str) for pair in value.items() for item in pair):
            raise refuse("a mapping of strings to strings (put quotes around numbers, yes and no)")
        return types.MappingProxyType(dict(value))
    if base is bool:
        if not isinstance(value, bool):
            raise refuse("true or false")
        return value
    if base is str:
        if not isinstance(value, str):
            raise refuse("a string (put quotes around numbers, yes and no)")
        return value
    assert base in (int, float), f"no reader for {base}"
    if isinstance(bounds, Size) and isinstance(value, str):
        value = _size(value, f"{origin}: {path}")
    # bool is an int in Python; `ring_bytes: yes` is a mistake all the same.
    if isinstance(value, bool) or not isinstance(value, int if base is int else (int, float)):
        raise refuse("a whole number" if base is int else "a number")
    if not math.isfinite(value):
        raise ConfigError(f"{origin}: {path} must be a finite number")
    if bounds is not None and (complaint := bounds.complaint(float(value))):
        raise ConfigError(f"{origin}: {path} {complaint}")
    return base(value)


def _strip(hint: object) -> tuple[Any, Bounds | None]:
    """A hint without its Annotated wrapper, and the bounds that stood there."""
    if get_origin(hint) is Annotated:
        base, *extras = get_args(hint)
        return base, next((extra for extra in extras if isinstance(extra, Range | Size)), None)
    return hint, None


def _choice(base: type[enum.Enum], value: object, origin: str, path: str) -> enum.Enum:
    words = [str(member.value) for member in base]
    if isinstance(value, str) and value in words:
        return base(value)
    found = _nearest(value, words) if isinstance(value, str) else f" (found {_kind(value)})"
    raise ConfigError(f"{origin}: {path} must be one of {', '.join(words)}{found}")


def _size(text: str, where: str) -> int:
    for suffix, unit in _SIZE_SUFFIXES.items():
        number = text.removesuffix(suffix).strip()
        if text.endswith(suffix) and number.isascii() and number.isdigit() and len(number) < 10:
            return int(number) * unit
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    raise ConfigError(f"{where} must be a number of bytes, or one with {', '.join(_SIZE_SUFFIXES)} behind it")


def _unknown(path: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    listed = ", ".join(names)
    return f"unknown key {path}{_nearest(name, names) or f' (known here: {listed})'}"


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _kind(value: object) -> str:
    """What was found, without showing it."""
    names = {
        dict: "a mapping",
        list: "a list",
        str: "a string",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "nothing" if value is None else names.get(type(value), f"a {type(value).__name__}")
