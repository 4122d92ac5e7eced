"""Files of prices on a machine: read at the start, again when they change, refused when broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.model import PodtabError
from agent.prices import files
from agent.prices.files import Paths, PriceFileError, PriceFiles
from agent.pricing import Pricer

HALF = "discounts: [{model: '*', percent: 50}]\n"
TABLES = b'[{"id":"openai","name":"OpenAI","api_pattern":"x","models":[{"id":"m","match":{"equals":"m"},"prices":{"input_mtok":2.5}}]}]'


def test_without_files_it_is_what_came_with_podtab() -> None:
    """The same version as a book made by hand."""
    assert PriceFiles(Paths()).load().version == Pricer().price_book


def test_a_changed_file_is_taken_over_and_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the versions before and after; an unchanged one costs a stat and nothing else."""
    path = tmp_path / "prices.yaml"
    path.write_text("")
    prices = PriceFiles(Paths(overrides=str(path)))
    pricer = Pricer(prices.load())
    before = pricer.price_book
    assert not prices.refresh(pricer)
    path.write_text(HALF)
    assert prices.refresh(pricer)
    assert pricer.price_book != before
    assert not prices.refresh(pricer)


def test_a_file_that_breaks_keeps_the_old_prices(tmp_path: Path) -> None:
    """Refused as a whole; when it is mended it counts again."""
    path = tmp_path / "prices.yaml"
    path.write_text(HALF)
    prices = PriceFiles(Paths(overrides=str(path)))
    pricer = Pricer(prices.load())
    before = pricer.price_book
    path.write_text("discounts: [{model: '*', percent: fifty}]\n")
    assert not prices.refresh(pricer)
    path.unlink()
    assert not prices.refresh(pricer)
    assert pricer.price_book == before
    path.write_text(HALF.replace("50", "25"))
    assert prices.refresh(pricer)


def test_a_touched_file_with_the_same_prices_is_no_change(tmp_path: Path) -> None:
    """The version is over the content, not over the time."""
    path = tmp_path / "prices.yaml"
    path.write_text(HALF)
    prices = PriceFiles(Paths(overrides=str(path)))
    pricer = Pricer(prices.load())
    path.unlink()
    path.write_text(HALF)
    assert not prices.refresh(pricer)


def test_at_the_start_a_broken_file_is_an_error_with_file_line_and_reason(tmp_path: Path) -> None:
    """Whoever wrote it finds the place."""
    path = tmp_path / "prices.yaml"
    path.write_text("discounts:\n  - {model: m}\n")
    with pytest.raises(PodtabError, match=r"prices\.yaml, line 2: a discount needs"):
        PriceFiles(Paths(overrides=str(path))).load()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PriceFileError, match="UTF-8"):
        PriceFiles(Paths(overrides=str(path))).load()
    with pytest.raises(PriceFileError, match="can't be read"):
        PriceFiles(Paths(overrides=str(tmp_path / "none"))).load()


def test_newer_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace those of the library, and are refused when they are something else, or too large."""
    path = tmp_path / "data.json"
    path.write_bytes(TABLES)
    assert PriceFiles(Paths(tables=str(path))).load().version.startswith("genai-prices file ")
    for broken in (
        b"{}",
        b"[]",
        b"[{}]",
        b"not json",
        TABLES.replace(b"2.5", b"-2.5"),
        TABLES.replace(b"input_mtok", b"x_mtok"),
    ):
        path.write_bytes(broken)
        with pytest.raises(PriceFileError, match=r"data\.json: "):
            PriceFiles(Paths(tables=str(path))).load()
    monkeypatch.setattr(files, "MAX_BYTES", 8)
    with pytest.raises(PriceFileError, match="larger than"):
        PriceFiles(Paths(tables=str(path))).load()
