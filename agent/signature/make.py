"""A signature out of a binary that still has its symbols: the first bytes of each function, without what a linker changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.capture.elf import ElfError, ElfFile, Function
from agent.capture.features import Features, pattern
from agent.capture.image import Image
from agent.capture.match import fitting, places_of
from agent.capture.signature import MIN_KNOWN_BYTES, Rule, Signature, SignatureError, parse, shipped

# A function's own name is among the first; more words make a rule no better.
_MAX_WORDS = 8
# Tried one after the other, until it is the only one of its kind in the file.
_LENGTHS = (32, 64, 128, 256)
_OPENSSL: Mapping[str, tuple[str, int]] = {
    # What the others share, to tell them from their likes: SSL_peek begins as SSL_read does.
    "ssl_read_internal": ("", 0),
    "ssl_write_internal": ("", 0),
    "SSL_read": ("read", 0),
    "SSL_read_ex": ("read", 4),
    "SSL_write": ("write", 0),
    "SSL_write_ex": ("write", 4),
    "SSL_write_ex2": ("write", 5),
    "SSL_new": ("open", 0),
    "SSL_free": ("close", 0),
    "SSL_shutdown": ("close", 0),
}
FUNCTIONS = {"openssl": _OPENSSL, "boringssl": _OPENSSL}
"""Role and count of what is looked for, by library."""
_HELPERS = {name for name, (role, _) in _OPENSSL.items() if not role}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A signature as text, and what could not go into it."""

    text: str
    left_out: tuple[str, ...]


def make(path: Path, *, library: str, version: str, about: str = "") -> Made:
    """Raises SignatureError where the binary gives none."""
    wanted = FUNCTIONS.get(library)
    if wanted is None:
        raise SignatureError(f"{library}: no library that podtab reads; it should be one of {', '.join(FUNCTIONS)}")
    template = next(one for one in shipped() if one.library == library)
    try:
        with path.open("rb") as file:
            return _made(ElfFile(file, math.inf), path, template, version, about)
    except OSError as error:
        raise SignatureError(f"{path}: can't be read ({error.strerror})") from None
    except ElfError as error:
        raise SignatureError(f"{path}: {error}") from None


def _made(elf: ElfFile, path: Path, template: Signature, version: str, about: str) -> Made:
    if elf.machine != "x64":
        raise SignatureError(f"{path}: only x86-64 programs are searched")
    functions = elf.functions(FUNCTIONS[template.library])
    if not functions:
        raise SignatureError(
            f"{path}: has no symbols of {template.library}; take the build from before it was stripped"
        )
    image = Image(elf)
    places = places_of(image.strings_with(template.source.encode()), template.source)
    finder = _Finder(image, image.functions_around(image.references(places)), functions)
    rules = [
        rule for name, (role, count) in FUNCTIONS[template.library].items() if (rule := finder.rule(name, role, count))
    ]
    left_out = tuple(
        f"{name}: nothing tells it from other functions"
        for name in functions
        if name not in {rule.name for rule in rules} | _HELPERS
    )
    lines = [
        f"library: {template.library}",
        f"source: {template.source}",
        *_versions(template, version),
        "made: |",
        f"  podtab signature make {path.name} --library {template.library} --version {version}",
        f"  from build id {elf.build_id() or '(none)'}",
        *(f"  {line}" for line in about.splitlines()),
        "functions:",
        *(line for rule in rules for line in _written(rule)),
    ]
    text = "\n".join(lines) + "\n"
    try:
        parse(text.encode())
    except SignatureError:
        raise SignatureError(f"{path}: gives no signature: {'; '.join(left_out)}") from None
    return Made(text=text, left_out=left_out)


class _Finder:
    """Rules that fit one function of a file."""

    def __init__(self, image: Image, around: list[Features], functions: Mapping[str, Function]) -> None:
        self._image = image
        self._around = around
        self._functions = functions
        self._found: dict[str, Features] = {}

    def rule(self, name: str, role: str, count: int) -> Rule | None:
        """The shortest that finds this function and no other; None where none does."""
        function = self._functions.get(name)
        one = self._image.function(function.address) if function is not None else None
        if function is None or one is None:
            return None
        calls = tuple(other for other, found in self._found.items() if found.start in one.calls)
        words = tuple(sorted(word for address in one.names if (word := self._image.word_at(address))))[:_MAX_WORDS]
        codes = [pattern(function.code[: one.end - one.start], one.start, length) for length in _LENGTHS]
        nothing: tuple[str, ...] = ()
        for some_calls, some_words in ((nothing, nothing), (calls, nothing), (nothing, words), (calls, words)):
            for code in dict.fromkeys(codes):
                if len(code.replace(".", "")) < 2 * MIN_KNOWN_BYTES:
                    continue
                rule = Rule(name=name, role=role, count=count, code=(code,), calls=some_calls, names=some_words)
                if [fit.start for fit in fitting(self._image, rule, self._around, self._found)] == [one.start]:
                    self._found[name] = one
                    return rule
        return None


def _written(rule: Rule) -> Iterator[str]:
    yield f"  {rule.name}:"
    for key, value in (("role", rule.role), ("count", rule.count), ("code", "".join(rule.code))):
        if value:
            yield f"    {key}: {value!r}"
    for key, words in (("calls", rule.calls), ("names", rule.names)):
        if words:
            yield f"    {key}: [{', '.join(words)}]"


def _versions(template: Signature, version: str) -> list[str]:
    """For this release only: the next one may have other code, or other arguments."""
    if not template.version_text:
        return []
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise SignatureError(f"version {version}: should be three numbers, like 3.0.19")
    following = ".".join([*parts[:2], str(int(parts[2]) + 1)])
    return [f"version_text: '{template.version_text}'", f'versions: ["{version}", "{following}"]']
