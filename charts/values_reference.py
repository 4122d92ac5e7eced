"""
The table of values in charts/podtab/README.md, made from values.yaml's comments: ``python -m charts.values_reference``.

A comment that begins with ``--`` describes the key below it; ``@section`` begins a table.  The text around the tables is written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

CHART = Path(__file__).parent / "podtab"
BEGIN, END = "<!-- values: made by `make docs` -->", "<!-- values: end -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    section: str
    path: str
    default: str
    meaning: str


def values(text: str) -> Iterator[Value]:
    """Every key with a description, in the order of the file."""
    whole = yaml.safe_load(text)
    section, above = "", [(-1, "")]
    meaning: list[str] = []
    for line in text.splitlines():
        key = re.match(r"( *)([A-Za-z_][\w]*):", line)
        comment = re.match(r" *# ?(.*)", line)
        if comment and comment[1].startswith("@section "):
            section = comment[1].removeprefix("@section ")
        elif comment and comment[1].startswith("-- "):
            meaning[:] = [comment[1].removeprefix("-- ")]
        elif comment and meaning:
            meaning.append(comment[1].strip())
        elif key:
            indent = len(key[1])
            while above[-1][0] >= indent:
                above.pop()
            above.append((indent, key[2]))
            path = ".".join(name for _, name in above[1:])
            if meaning:
                yield Value(section=section, path=path, default=_default(whole, path), meaning=" ".join(meaning))
            meaning.clear()
        elif not line.strip():
            meaning.clear()


def tables(text: str) -> str:
    """Markdown, one table a section."""
    parts: list[str] = []
    section = None
    found = list(values(text))
    for value in found:
        if value.section != section:
            section = value.section
            parts.append(f"\n### {section}\n\n| value | default | meaning |\n|---|---|---|\n")
        meaning = value.meaning.replace("|", "\\|")
        # Of what has keys of its own below, those say the defaults.
        above = any(other.path.startswith(f"{value.path}.") for other in found)
        parts.append(f"| `{value.path}` | {'' if above else f'`{value.default}`'} | {meaning} |\n")
    return "".join(parts)


def renew(page: str, text: str) -> str:
    """The page with today's tables."""
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n{tables(text)}\n{END}{after}"


def _default(whole: object, path: str) -> str:
    """As one writes it on one line."""
    for name in path.split("."):
        assert isinstance(whole, dict), path
        whole = whole[name]
    if not isinstance(whole, dict) or not whole:
        return json.dumps(whole, ensure_ascii=False)
    return ", ".join(f"{name}: {json.dumps(part, ensure_ascii=False)}" for name, part in whole.items())


def main() -> None:
    page = CHART / "README.md"
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    page.write_text(renew(page.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
