"""The documents keep to the truth where a machine can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from agent.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bpf").rglob("*.md")])


def test_the_readme_lists_the_commands_that_exist() -> None:
    """All of them and no others."""
    listed = re.findall(r"^\| `podtab (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_the_readme_names_only_make_targets_that_exist() -> None:
    """`make x` in a document works."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"(?:`|sudo |\$ )make ([a-z-]+)", page.read_text()):
            assert target in targets, f"{page.name}: make {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    """A relative link is a file or a folder of the repository."""
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_table_of_places_names_places() -> None:
    """ "Where do I change …?" points at files and folders that are there."""
    table = (ROOT / "README.md").read_text().partition("## Where do I change")[2].partition("\n[")[0]
    for path in re.findall(r"`((?:agent|bpf|charts|tests|docs)/[^`]*)`", table):
        if "<" not in path:
            assert (ROOT / path).exists(), path
