"""Signatures tried on binaries: what fits where, and whether symbols, where there are any, agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.capture.elf import ElfError, ElfFile
from agent.capture.match import Match, TooLargeError, search
from agent.capture.signature import Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Of one binary."""

    path: str
    good: bool
    lines: tuple[str, ...]
    """What a person reads."""


def check(signatures: Iterable[Signature], paths: Iterable[Path]) -> Iterator[Verdict]:
    """Each binary, tried with all of the signatures together, as capture does."""
    tried = tuple(signatures)
    for path in paths:
        try:
            with path.open("rb") as file:
                yield _judged(str(path), ElfFile(file, math.inf), tried)
        except OSError as error:
            yield _bad(path, f"can't be read ({error.strerror})")
        except TooLargeError:
            yield _bad(path, "larger than what is searched")
        except ElfError as error:
            yield _bad(path, str(error))


def _bad(path: Path, reason: str) -> Verdict:
    return Verdict(path=str(path), good=False, lines=(reason,))


def _judged(path: str, elf: ElfFile, signatures: tuple[Signature, ...]) -> Verdict:
    matches = search(elf, signatures)
    if not matches:
        return Verdict(path=path, good=False, lines=("has none of these libraries, or less code than any of them",))
    told = [_told(elf, match) for match in matches]
    return Verdict(
        path=path, good=all(good for good, _ in told), lines=tuple(line for _, lines in told for line in lines)
    )


def _told(elf: ElfFile, match: Match) -> tuple[bool, list[str]]:
    version = ".".join(str(part) for part in match.version) or "of no stated version"
    if match.signature is None:
        return False, [f"{match.library} {version}: {match.reason}"]
    symbols = elf.functions(match.functions)
    lines, good = [f"{match.library} {version}: {match.signature.name} fits"], True
    for name, found in match.functions.items():
        said = symbols.get(name)
        agrees = said is None or said.address == found.start
        good = good and agrees
        words = (
            "no symbol to compare with"
            if said is None
            else "as its symbol says"
            if agrees
            else f"its symbol says {said.address:#x}"
        )
        lines.append(f"  {name:<20} {found.start:#x}  {words}")
    return good, lines
