"""The fake provider's books."""

from dataclasses import fields
from decimal import Decimal
from pathlib import Path

from agent.demo.books import Served, Tokens, cost_usd, read, to_line

ROW = Served(
    client="inbox-0",
    provider="anthropic",
    api="anthropic/messages",
    model="claude-haiku-4-5-20251001",
    status=200,
    streaming=True,
    tokens=Tokens(input=10, cache_read=200, cache_write=3_000, cache_write_1h=40_000, output=500),
    cost_usd=Decimal("0.08629"),
)


def test_cost_is_what_a_person_computes_from_the_list() -> None:
    """10 × $1 + 200 × $0.10 + 3,000 × $1.25 + 40,000 × $2 + 500 × $5, per million."""
    assert ROW.tokens is not None
    assert cost_usd(ROW.model, ROW.tokens) == Decimal("0.08628")


def test_reasoning_is_billed_as_output() -> None:
    """Every provider in the demo does so; forgetting it is a classic."""
    alone = cost_usd("gpt-5-mini-2025-08-07", Tokens(reasoning=1_000_000))
    assert alone == cost_usd("gpt-5-mini-2025-08-07", Tokens(output=1_000_000)) == Decimal(2)


def test_a_model_on_no_list_has_no_cost() -> None:
    """None, not 0: nobody knows."""
    assert cost_usd("house-model-9000", Tokens(input=1)) is None


def test_rows_survive_the_file(tmp_path: Path) -> None:
    """Amounts to the last digit, and None stays None."""
    silent = Served(
        client="a",
        provider="openai",
        api="openai/chat",
        model="m",
        status=200,
        streaming=True,
        tokens=None,
        cost_usd=None,
    )
    path = tmp_path / "books.jsonl"
    path.write_text(to_line(ROW) + to_line(silent), encoding="utf-8")
    assert read(path) == [ROW, silent]


def test_sums_are_over_disjoint_parts() -> None:
    """The inclusive sums that providers state are made of every part exactly once."""
    tokens = Tokens(**{field.name: 10**place for place, field in enumerate(fields(Tokens))})
    assert tokens.all_input + tokens.all_output == 111_111
    assert tokens.all_output == 110_000
    assert (tokens + tokens).all_input == 2 * tokens.all_input
