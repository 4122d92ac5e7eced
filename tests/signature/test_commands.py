"""``podtab signature``, as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.capture import match
from agent.capture.signature import SignatureError
from agent.cli import app
from tests.capture import tiny

RUN = CliRunner()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "MIN_CODE_BYTES", 0)


def test_what_make_prints_check_accepts(tmp_path: Path) -> None:
    """By file and by folder, on the binary without symbols."""
    whole, bare = tiny.build(tmp_path, "-O2")
    made = RUN.invoke(app, ["signature", "make", str(whole), "--library", "openssl", "--version", "3.0.19"])
    assert made.exit_code == 0, made.output
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "mine.yaml").write_text(made.stdout)
    for file in (folder, folder / "mine.yaml", "ours"):
        checked = RUN.invoke(app, ["signature", "check", str(file), str(bare)])
        assert checked.exit_code == 0, checked.output
        assert "fits" in checked.output


def test_check_fails_where_nothing_fits(tmp_path: Path) -> None:
    """For scripts."""
    bare = tiny.build(tmp_path, "-O2", "-DTWICE")[1]
    checked = RUN.invoke(app, ["signature", "check", "ours", str(bare)])
    assert checked.exit_code == 1
    assert "fits 2 places" in checked.output


@pytest.mark.parametrize("words", [["make"], ["check"]], ids=str)
def test_help_teaches(words: list[str]) -> None:
    """What goes in, what comes out."""
    said = RUN.invoke(app, ["signature", *words, "--help"])
    assert said.exit_code == 0
    assert "BINAR" in said.output


def test_a_folder_without_signatures_is_a_mistake(tmp_path: Path) -> None:
    """Else every binary would seem to have no library."""
    result = RUN.invoke(app, ["signature", "check", str(tmp_path), "/bin/true"])
    assert isinstance(result.exception, SignatureError)
    assert "without signatures" in str(result.exception)
