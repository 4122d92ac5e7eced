"""The demo's hand-written prices."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price

from agent.demo.books import Tokens, cost_usd
from agent.demo.prices import PRICES

PROVIDERS = {"gpt": "openai", "text": "openai", "claude": "anthropic", "gemini": "google"}


@pytest.mark.parametrize("year", [2026, 2030])
@pytest.mark.parametrize("model", PRICES)
def test_list_and_price_book_agree(model: str, year: int) -> None:
    """
    Two independent sources; where they part, one of them is old and somebody must look at the provider's page.

    Also years from now: the book has prices with a date, and the demo must not break on one.
    """
    embeds = model.startswith("text")
    caches = model.startswith("claude")
    tokens = Tokens(
        input=1_000,
        cache_read=0 if embeds else 2_000,
        cache_write=3_000 if caches else 0,
        cache_write_1h=4_000 if caches else 0,
        output=0 if embeds else 5_000,
    )
    usage = Usage(
        input_tokens=tokens.all_input,
        output_tokens=tokens.all_output or None,
        cache_read_tokens=tokens.cache_read or None,
        cache_write_tokens=tokens.cache_write + tokens.cache_write_1h or None,
        cache_write_1h_tokens=tokens.cache_write_1h or None,
    )
    moment = datetime(year, 6, 1, tzinfo=UTC)
    listed = calc_price(
        usage, model, provider_id=PROVIDERS[model.split("-")[0]], genai_request_timestamp=moment
    ).total_price
    assert cost_usd(model, tokens) == pytest.approx(listed, abs=Decimal("1e-12"))
