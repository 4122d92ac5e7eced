"""Pytest's JUnit file → which kernel passed what, as a page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One test on one kernel."""

    file: str
    """Without folder and ending: tests/kernel/test_loss.py is ``loss``."""
    name: str
    status: str
    """passed, failed, skipped or not run."""
    reason: str = ""


def read_outcomes(junit: Path) -> list[Outcome]:
    """Empty where there is no whole file."""
    try:
        root = ElementTree.parse(junit).getroot()
    except (OSError, ElementTree.ParseError):
        return []
    return [_outcome(case) for case in root.iter("testcase")]


def _outcome(case: ElementTree.Element) -> Outcome:
    status, reason = "passed", ""
    for tag, word in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        if (found := case.find(tag)) is not None:
            status, reason = word, (found.get("message") or "").splitlines()[0][:200]
            break
    where = case.get("classname") or case.get("name") or ""
    return Outcome(file=where.rpartition(".")[2], name=case.get("name") or "", status=status, reason=reason)


# As ``pytest -v`` says it, on lines that are wide enough for why a test was skipped; why it failed comes at the run's end only.
_PROGRESS = re.compile(r"^(tests/\S+\.py)::(.+?) (PASSED|FAILED|ERROR|SKIPPED)\b(?: \((.*)\))?", re.MULTILINE)
_WORDS = {"PASSED": "passed", "SKIPPED": "skipped"}


def read_progress(output: str) -> list[Outcome]:
    """What was through when a run was cut; a test that passed, and whose fixtures then failed, has failed, once."""
    found: dict[tuple[str, str], Outcome] = {}
    for file, name, word, reason in _PROGRESS.findall(output):
        status = _WORDS.get(word, "failed")
        if status == "failed":
            reason = reason or "the run was cut before it said why"
        found[file, name] = Outcome(file=Path(file).stem, name=name, status=status, reason=reason)
    return list(found.values())


_HEAD = """# Kernels

Made by `make test-kernels`, which boots Debian's kernels in an emulated machine, x86-64 or arm64, and runs the kernel tests inside: real
probes, real TLS libraries, real clients.  A figure is tests passed of tests run; what did not pass is told below.

"""


def page(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """A row a test file, a column a kernel."""
    files = list(dict.fromkeys(_plain(one.file) for each in outcomes.values() for one in each))
    lines = ["| tests | " + " | ".join(outcomes) + " |", "|---" * (len(outcomes) + 1) + "|"]
    for file in files:
        cells = [_cell([one for one in each if _plain(one.file) == file]) for each in outcomes.values()]
        lines.append(f"| {file} | " + " | ".join(cells) + " |")
    told: dict[tuple[str, str, str, str], list[str]] = {}
    for version, each in outcomes.items():
        for one in each:
            if one.status != "passed":
                told.setdefault((version, _plain(one.file), one.status, one.reason), []).append(one.name or "all")
    if told:
        lines += ["", "What did not pass:", ""]
    for (version, file, status, reason), names in told.items():
        which = names[0] if len(names) == 1 else f"{len(names)} tests"
        lines.append(f"- {version}: {file}: {which}: {status}: {reason}")
    return _HEAD + "\n".join(lines) + "\n"


def _plain(file: str) -> str:
    return Path(file).stem.removeprefix("test_").replace("_", " ")


def _cell(found: Sequence[Outcome]) -> str:
    run = [one for one in found if one.status in ("passed", "failed")]
    passed = sum(one.status == "passed" for one in run)
    if not run:
        return "skipped" if found and all(one.status == "skipped" for one in found) else "not run"
    cut = ", cut ✗" if any(one.status == "not run" for one in found) else ""
    return f"{passed} of {len(run)}" + (cut or ("" if passed == len(run) else " ✗"))
