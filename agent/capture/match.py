"""
Signatures applied to a file: each function found exactly once, or none at all.

A probe in the wrong place would count other bytes as a customer's, so nothing is guessed: where a rule fits two functions or none,
the whole library is refused, and the reason is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.capture.elf import ElfFile
from agent.capture.features import Features
from agent.capture.image import Image
from agent.capture.signature import Rule, Signature, Version

# Chrome has 250 MB, PyTorch 500.
MAX_SEARCHED_BYTES = 512 * 1024**2
# Static OpenSSL and BoringSSL are larger; so are most programs that have one.  What is smaller is not searched.
MIN_CODE_BYTES = 512 * 1024


class TooLargeError(Exception):
    """Not searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A library that a file has built in without symbols."""

    library: str
    version: Version
    signature: Signature | None
    """The one that fits; None where none does."""
    functions: Mapping[str, Features]
    """What it found."""
    reason: str
    """Why none fits; "" where one does."""


def search(elf: ElfFile, signatures: Iterable[Signature]) -> list[Match]:
    """Every library that the file has built in; empty where it has none."""
    if sum(segment.size for segment in elf.code) < MIN_CODE_BYTES:
        return []
    if sum(segment.size for segment in elf.loaded) > MAX_SEARCHED_BYTES:
        raise TooLargeError
    image = Image(elf)
    by_source: dict[str, list[Signature]] = {}
    for signature in signatures:
        by_source.setdefault(signature.source, []).append(signature)
    # One search finds all that begin alike: ssl_lib.c and ssl_lib.cc.
    found = {place: text for stem in _stems(by_source) for place, text in image.strings_with(stem.encode()).items()}
    matches: list[Match] = []
    for source, candidates in by_source.items():
        places = places_of(found, source)
        if places:
            matches.append(_library(image, places, candidates) if elf.machine == "x64" else _not_here(candidates[0]))
    return matches


def places_of(strings: Mapping[int, bytes], source: str) -> set[int]:
    """Where a path that ends with ``source`` may begin: only code that names it knows."""
    return {
        place + letter
        for place, text in strings.items()
        if text.endswith(source.encode())
        for letter in range(len(text) - len(source) + 1)
    }


def _not_here(signature: Signature) -> Match:
    return Match(
        library=signature.library, version=(), signature=None, functions={}, reason="only x86-64 code is searched"
    )


def _stems(sources: Iterable[str]) -> set[str]:
    every = set(sources)
    return {one for one in every if not any(one != other and one.startswith(other) for other in every)}


def _library(image: Image, places: set[int], candidates: list[Signature]) -> Match:
    fit: list[Match] = []
    reasons: list[str] = []
    around: list[Features] | None = None
    version: Version = ()
    for signature in candidates:
        said = versions_of(image, signature)
        if len(said) > 1:
            reasons.append("it says two versions of itself")
            continue
        version = next(iter(said), ())
        if version and not signature.covers(version):
            reasons.append(f"{signature.name} is for other versions")
            continue
        if around is None:
            around = image.functions_around(image.references(places))
        functions, reason = apply(image, signature, around)
        if reason:
            reasons.append(f"{signature.name}: {reason}")
        else:
            fit.append(
                Match(library=signature.library, version=version, signature=signature, functions=functions, reason="")
            )
    if (
        len(
            {
                frozenset(
                    (rule.role, rule.count, one.functions[rule.name].start)
                    for rule in one.signature.functions
                    if rule.role and rule.name in one.functions
                )
                for one in fit
                if one.signature
            }
        )
        == 1
    ):
        return fit[0]
    if fit:
        reasons = [f"{' and '.join(one.signature.name for one in fit if one.signature)} find different functions"]
    library = candidates[0].library
    return Match(library=library, version=version, signature=None, functions={}, reason="; ".join(reasons))


def versions_of(image: Image, signature: Signature) -> set[Version]:
    """What the library says of itself.  A program that never asks for its version may not have the string."""
    if not signature.version_text:
        return set()
    expression = re.compile(signature.version_text.encode())
    # The literal beginning, so that only strings with it are looked at.
    start = re.match(rb"[\w ]+", signature.version_text.encode())
    texts = image.strings_with(start[0]).values() if start else ()
    return {tuple(int(part) for part in found.groups()) for text in texts if (found := expression.search(text))}


def apply(image: Image, signature: Signature, around: list[Features]) -> tuple[Mapping[str, Features], str]:
    """The functions that a signature names, out of those ``around`` the library's anchor; or the reason why not."""
    found: dict[str, Features] = {}
    for rule in signature.functions:
        fits = fitting(image, rule, around, found)
        if len(fits) != 1 and rule.optional:
            continue
        if len(fits) != 1:
            return {}, f"{rule.name} fits {len(fits) if len(fits) < 3 else 'many'} places"
        found[rule.name] = fits[0]
    if len({one.start for one in found.values()}) < len(found):
        return {}, "two of its functions are one"
    return found, ""


def fitting(image: Image, rule: Rule, around: list[Features], found: Mapping[str, Features]) -> list[Features]:
    """Every function that a rule is true of; ``found`` are those that other rules found before."""
    fits: list[Features] = []
    for one in _candidates(image, rule, around, found):
        image.in_time()
        if _fits(image, rule, one, found):
            fits.append(one)
    return fits


def _candidates(image: Image, rule: Rule, around: list[Features], found: Mapping[str, Features]) -> list[Features]:
    if rule.called_by:
        starts: Iterable[int] = set.intersection(*(set(found[name].calls) for name in rule.called_by))
    elif rule.code and not (rule.names or rule.passes):
        starts = {start for one in rule.code for start in image.matches(one)}
    else:
        return around
    return [one for start in starts if (one := image.function(start)) is not None]


def _fits(image: Image, rule: Rule, one: Features, found: Mapping[str, Features]) -> bool:
    return (
        all(wanted <= one.passes.get(number, frozenset()) for number, wanted in rule.passes.items())
        and all(not unwanted & one.passes.get(number, frozenset()) for number, unwanted in rule.passes_not.items())
        and all(found[name].start in one.calls for name in rule.calls)
        and all(number in found[name].calls.get(one.start, ()) for name, number in rule.pointer_from.items())
        and rule.writes in (None, one.writes)
        and rule.locks in (None, one.locks)
        and all(one.names & image.places_of(text.encode()) for text in rule.names)
        and rule.begins(image.code_at(one.start, rule.length))
    )
