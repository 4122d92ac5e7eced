"""
Signatures: how to find a TLS library's functions in a program without symbols, as data.

One YAML file a library and range of versions, in ``agent/capture/signatures/`` or in a folder of the user's; docs/signatures.md is the
reference.  A file that makes no sense is refused as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from agent.capture.features import expression
from agent.model import PodtabError

FOLDER = Path(__file__).parent / "signatures"
# A hundred functions with patterns are some 50 KB.
_MAX_FILE_BYTES = 1024 * 1024
_MAX_FUNCTIONS = 100
# Shorter ones fit by chance: in 100 MB of code a pattern of six known bytes does so every million files.
MIN_KNOWN_BYTES = 12
_MAX_PATTERN_BYTES = 512
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
_PATTERN = re.compile(r"(?:[0-9a-f]{2}|\.\.)+")

ROLES = ("read", "write", "close", "open")
"""What a function does with a connection; one without a role only helps to find another."""


class SignatureError(PodtabError):
    """A signature file that makes no sense."""


Version = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is true of one function and of no other."""

    name: str
    role: str = ""
    count: int = 0
    """Which argument points to the number of bytes moved; 0: it is the result."""
    names: tuple[str, ...] = ()
    """Strings that it refers to."""
    passes: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Constants that it puts into the register of an argument."""
    passes_not: Mapping[int, frozenset[int]] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    """Functions of this file, above, that it calls …"""
    called_by: tuple[str, ...] = ()
    """… and that call it."""
    pointer_from: Mapping[str, int] = field(default_factory=dict)
    """Functions above that call it, and the argument that then is the address of a variable of theirs: where the count goes."""
    writes: bool | None = None
    """Whether it changes memory outside its frame."""
    locks: bool | None = None
    """Whether it has an atomic instruction."""
    code: tuple[str, ...] = ()
    """Its first bytes in hexadecimal digits, ``..`` for those that differ between builds; one of these, where compilers differ."""
    optional: bool = False
    """The library is read without it too, where it is not found exactly once."""

    def begins(self, code: bytes) -> bool:
        """Whether a function that begins so may be it."""
        return not self.code or any(expression(one).match(code) for one in self.code)

    @property
    def length(self) -> int:
        """How many of its bytes are told at most."""
        return max((len(one) // 2 for one in self.code), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One library, in one range of versions."""

    path: str
    library: str
    source: str
    """What the path of the library's source file ends with, as its compiler wrote it into error messages: the anchor of all rules."""
    version_text: str
    """A regular expression with the version as its groups; "" where the library has none."""
    first: Version
    last: Version
    """The first version that it is not for; both () where there are none."""
    functions: tuple[Rule, ...]
    made: str
    """How, for people."""

    @property
    def name(self) -> str:
        return Path(self.path).stem

    def covers(self, version: Version) -> bool:
        return not self.version_text or self.first <= version < self.last


@cache
def shipped() -> tuple[Signature, ...]:
    """Those of this package."""
    return tuple(load(FOLDER))


def with_own(folder: str) -> tuple[Signature, ...]:
    """The user's before ours; "" for no folder.  Raises SignatureError."""
    return (*load(Path(folder)), *shipped()) if folder else shipped()


def load(folder: Path) -> Iterator[Signature]:
    """All of a folder, by name.  Raises SignatureError."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    except OSError as error:
        raise SignatureError(
            f"{folder}: can't be read ({error.strerror}); it should be a folder of signatures"
        ) from None
    for path in paths:
        yield read(path)


def read(path: Path) -> Signature:
    """One file.  Raises SignatureError."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SignatureError(f"{path}: can't be read ({error.strerror})") from None
    if len(text) > _MAX_FILE_BYTES:
        raise SignatureError(f"{path}: longer than any signature")
    return parse(text, str(path))


def parse(text: bytes, path: str = "signature") -> Signature:
    """Raises SignatureError, with the place and the reason."""
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeDecodeError):
        raise SignatureError(f"{path}: not YAML") from None
    reader = _Reader(path)
    top = reader.mapping(data, "the file", ("library", "source", "versions", "version_text", "made", "functions"))
    first, last = reader.versions(top)
    functions: list[Rule] = []
    for name, value in reader.mapping(top.get("functions"), "functions", None).items():
        functions.append(reader.rule(str(name), value, {rule.name for rule in functions if not rule.optional}))
    roles = {rule.role for rule in functions}
    if not {"read", "write"} <= roles or len(functions) > _MAX_FUNCTIONS:
        raise SignatureError(
            f"{path}: needs a function with role read and one with role write, and at most {_MAX_FUNCTIONS}"
        )
    return Signature(
        path=path,
        library=reader.text(top, "library"),
        source=reader.text(top, "source"),
        version_text=reader.version_text(top),
        first=first,
        last=last,
        functions=tuple(functions),
        made=reader.text(top, "made"),
    )


class _Reader:
    """Values out of what YAML gave, each checked, with an error that names the place."""

    def __init__(self, path: str) -> None:
        self._path = path

    def error(self, message: str) -> SignatureError:
        return SignatureError(f"{self._path}: {message}")

    def mapping(self, value: Any, where: str, keys: Iterable[str] | None) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.error(f"{where}: should be a mapping")
        for key in value:
            if keys is not None and key not in keys:
                raise self.error(f"{where}: there is no key {str(key)[:60]!r}; there are {', '.join(keys)}")
        return value

    def text(self, values: Mapping[str, Any], key: str) -> str:
        value = values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{key}: should be text")
        return value

    def version_text(self, top: Mapping[str, Any]) -> str:
        if "version_text" not in top:
            return ""
        text = self.text(top, "version_text")
        try:
            groups = re.compile(text.encode()).groups
        except re.error:
            raise self.error("version_text: not a regular expression") from None
        if not 2 <= groups <= 3 or len(text) > 200:
            raise self.error("version_text: should have two or three groups, the parts of the version")
        return text

    def versions(self, top: Mapping[str, Any]) -> tuple[Version, Version]:
        if ("versions" in top) != ("version_text" in top):
            raise self.error("versions and version_text: both or none")
        if "versions" not in top:
            return (), ()
        span = top["versions"]
        if not isinstance(span, list) or len(span) != 2 or not all(_VERSION.fullmatch(str(one)) for one in span):
            raise self.error('versions: should be the first version and the first one beyond, like ["3.0", "3.3"]')
        first, last = (tuple(int(part) for part in str(one).split(".")) for one in span)
        return first, last

    def rule(self, name: str, value: Any, above: set[str]) -> Rule:
        keys = (
            *(
                "role",
                "count",
                "names",
                "passes",
                "passes_not",
                "calls",
                "called_by",
                "pointer_from",
                "writes",
                "locks",
                "code",
                "optional",
            ),
        )
        values = self.mapping(value, name, keys)
        role, count = values.get("role", ""), values.get("count", 0)
        if role not in ("", *ROLES):
            raise self.error(f"{name}: role should be one of {', '.join(ROLES)}")
        if count not in (0, 4, 5) or isinstance(count, bool):
            raise self.error(f"{name}: count should be 0 (the result), 4 or 5")
        rule = Rule(
            name=name,
            role=role,
            count=count,
            names=self._texts(values, "names", name),
            passes=self._numbers(values, "passes", name),
            passes_not=self._numbers(values, "passes_not", name),
            calls=self._others(values, "calls", name, above),
            called_by=self._others(values, "called_by", name, above),
            pointer_from=self._pointers(values, name, above),
            writes=self._flag(values, "writes", name),
            locks=self._flag(values, "locks", name),
            code=self._codes(values, name),
            optional=bool(self._flag(values, "optional", name)),
        )
        if rule.optional and role in ("read", "write"):
            raise self.error(f"{name}: can't be optional, as half a connection would be read without it")
        if not (rule.names or rule.passes or rule.calls or rule.called_by or rule.code):
            raise self.error(f"{name}: says nothing that would find it")
        return rule

    def _texts(self, values: Mapping[str, Any], key: str, name: str) -> tuple[str, ...]:
        found = values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) and 4 <= len(one) <= 200 for one in found):
            raise self.error(f"{name}.{key}: should be a list of texts of 4 to 200 letters")
        return tuple(found)

    def _others(self, values: Mapping[str, Any], key: str, name: str, above: set[str]) -> tuple[str, ...]:
        found = values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) and one in above for one in found):
            raise self.error(f"{name}.{key}: should be a list of functions that stand above it")
        return tuple(found)

    def _numbers(self, values: Mapping[str, Any], key: str, name: str) -> Mapping[int, frozenset[int]]:
        found = values.get(key, {})
        if not isinstance(found, dict) or not all(
            number in range(1, 7) and isinstance(some, list) and all(type(one) is int for one in some)
            for number, some in found.items()
        ):
            raise self.error(f"{name}.{key}: should be lists of numbers by the argument's number, 1 to 6")
        return {number: frozenset(some) for number, some in found.items()}

    def _pointers(self, values: Mapping[str, Any], name: str, above: set[str]) -> Mapping[str, int]:
        found = values.get("pointer_from", {})
        if not isinstance(found, dict) or not all(
            isinstance(other, str) and other in above and type(number) is int and 1 <= number <= 6
            for other, number in found.items()
        ):
            raise self.error(f"{name}.pointer_from: should be an argument's number by a function that stands above it")
        return dict(found)

    def _flag(self, values: Mapping[str, Any], key: str, name: str) -> bool | None:
        found = values.get(key)
        if found is not None and not isinstance(found, bool):
            raise self.error(f"{name}.{key}: should be true or false")
        return found

    def _codes(self, values: Mapping[str, Any], name: str) -> tuple[str, ...]:
        found = values.get("code", [])
        every = [self._code(one, name) for one in (found if isinstance(found, list) else [found])]
        return tuple(one for one in every if one)

    def _code(self, value: Any, name: str) -> str:
        text = "".join(value.split()) if isinstance(value, str) else "?"
        if not text:
            return ""
        if not _PATTERN.fullmatch(text) or len(text) > 2 * _MAX_PATTERN_BYTES:
            raise self.error(f"{name}.code: should be pairs of hexadecimal digits, or of dots")
        if len(text.replace(".", "")) < 2 * MIN_KNOWN_BYTES:
            raise self.error(f"{name}.code: says fewer than {MIN_KNOWN_BYTES} bytes, which fit by chance")
        return text
