"""``podtab prices`` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.prices.commands import prices
from agent.prices.files import PriceFileError
from agent.pricing import agreement
from tests.prices.test_files import HALF, TABLES


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(prices, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_show_says_price_source_and_version() -> None:
    """At the day asked for, with the entry of ours that decided."""
    code, text = run("show", "anthropic/claude-opus-4-6", "--at", "2026-03-12")
    assert code == 0
    assert "anthropic/claude-opus-4-6" in text
    assert "$10 a million beyond" in text or "($10 beyond 200,000 tokens of input)" in text
    assert "beyond" not in run("show", "anthropic/claude-opus-4-6", "--at", "2026-03-13")[1]
    assert "openai#" in run("show", "openai/dall-e-3", "--variant", "1024x1024/hd")[1]
    assert "price book: genai-prices" in text


def test_show_with_contract_and_region(tmp_path: Path) -> None:
    """Factors are listed by name."""
    path = tmp_path / "prices.yaml"
    path.write_text(HALF)
    _, text = run("show", "openai/gpt-5.6-sol", "--region", "eu", "--overrides", str(path))
    assert "discount in line 1" in text


def test_show_of_a_stranger_fails() -> None:
    """No price is not a price of 0."""
    code, text = run("show", "house-model-9")
    assert (code, "no price for house-model-9" in text) == (1, True)
    with pytest.raises(PriceFileError, match="is no day"):
        run("show", "gpt-4o", "--at", "soon")


def test_diff_of_days_and_files(tmp_path: Path) -> None:
    """Between two days, and between the tables in force and a file."""
    _, text = run("diff", "--from", "2026-03-12", "--to", "2026-03-13")
    assert "anthropic/claude-opus-4-6 input: $5 a million ($10 beyond 200,000 tokens of input) → $5 a million" in text
    path = tmp_path / "data.json"
    path.write_bytes(TABLES)
    assert "openai/m input: - → $2.5 a million" in run("diff", str(path))[1]


def test_check_prints_agreement_by_provider() -> None:
    """A table for people, an object for machines; success as long as nothing fell."""
    code, text = run("check", "--at", "2026-11-24", "--differences")
    assert code == 0
    assert "openai" in text
    assert "models agree" in text
    assert "≠" in text
    figures = json.loads(run("check", "--json", "--at", "2026-11-24")[1])
    assert figures["providers"]["openai"]["share"] == 1.0
    assert figures["dropped"] == []


def test_check_fails_when_agreement_falls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One price changed on either side is enough where all agreed."""
    data = json.loads(agreement.second_opinion())
    data["gpt-4o"]["input_cost_per_token"] = "0.000003"
    path = tmp_path / "map.json"
    path.write_text(json.dumps(data))
    code, text = run("check", "--at", "2026-11-24", "--against", str(path))
    assert (code, "agreement fell: openai" in text) == (1, True)


def test_update_writes_and_counts(tmp_path: Path) -> None:
    """What it put in place is what an agent would read."""
    source, target = tmp_path / "new.json", tmp_path / "data.json"
    source.write_bytes(TABLES)
    code, text = run("update", str(source), "--to", str(target))
    assert (code, "prices differ" in text) == (0, True)
    assert target.read_bytes() == TABLES


@pytest.mark.parametrize("content", [b"capture: [", b"\xff\xfe", b"[1]"])
def test_a_second_list_that_is_none_is_told_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    """With the file's name."""
    other = tmp_path / "other.json"
    other.write_bytes(content)
    with pytest.raises(PriceFileError, match=r"other\.json: the second opinion is no"):
        run("check", "--against", str(other))
