"""Our reading of the price book against the library's own arithmetic, over every model of the main providers."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources

import pytest
from genai_prices import Usage as BookUsage
from genai_prices.data import providers
from genai_prices.types import ModelInfo, Provider, TimeOfDateConstraint

from agent.model import Cost, Unpriced, Usage
from agent.pricing import PriceBook, Pricer
from agent.pricing.catalog import Catalog
from agent.pricing.overlay import Overlay
from agent.pricing.rates import PriceBookError
from tests.pricing.calls import at_ns, call

# Ours → the book's, written again by hand.
MAIN = {
    "openai": "openai",
    "anthropic": "anthropic",
    "gcp.gemini": "google",
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "mistral_ai": "mistral",
    "groq": "groq",
    "deepseek": "deepseek",
    "x_ai": "x-ai",
    "together": "together",
    "fireworks": "fireworks",
    "perplexity": "perplexity",
    "cohere": "cohere",
    "openrouter": "openrouter",
}
# Each at a time of day with another price at DeepSeek, and before and after the book's dated changes.
MOMENTS = ("2025-06-01T02:00:00", "2026-11-20T08:30:00", "2027-02-01T20:00:00")
# Ours and the same in the book's words.
USAGES = (
    (Usage(input_tokens=1234, output_tokens=567), {"input_tokens": 1234, "output_tokens": 567}),
    (
        Usage(
            input_tokens=300_007,
            output_tokens=4001,
            cache_read_input_tokens=200_003,
            cache_write_input_tokens=50_021,
            cache_write_1h_input_tokens=20_011,
            reasoning_output_tokens=1009,
        ),
        {
            "input_tokens": 300_007,
            "output_tokens": 4001,
            "cache_read_tokens": 200_003,
            "cache_write_tokens": 50_021,
            "cache_write_1h_tokens": 20_011,
            "output_reasoning_tokens": 1009,
        },
    ),
    (
        Usage(input_tokens=9001, output_tokens=803, audio_input_tokens=701, image_input_tokens=1201),
        {
            "input_tokens": 9001,
            "output_tokens": 803,
            "input_audio_tokens": 701,
            "input_image_tokens": 1201,
            "cache_audio_read_tokens": 0,
            "cache_image_read_tokens": 0,
        },
    ),
    (
        Usage(input_tokens=11, output_tokens=1303, audio_output_tokens=401, image_output_tokens=601),
        {"input_tokens": 11, "output_tokens": 1303, "output_audio_tokens": 401, "output_image_tokens": 601},
    ),
)
CONTEXTS: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
    ({}, {}),
    ({"tier": "flex"}, {"service_tier": "flex"}),
    ({"tier": "priority"}, {"service_tier": "priority"}),
    ({"tier": "batch"}, {"processing": "batch"}),
    ({"speed": "fast"}, {"speed": "fast"}),
)

# Without the overlay, which knows better than the library here and there.
PRICER = Pricer(PriceBook(overlay=Overlay([], "")))
BY_ID = {provider.id: provider for provider in providers}


# Whose names on the wire are longer than the book's ids.
PREFIXES = {"fireworks": "accounts/fireworks/models/"}


def models_of(provider: Provider) -> Iterator[tuple[str, ModelInfo]]:
    """Models that are found by their id: some ids are a pattern's beginning, and some are another model's alias."""
    for model in provider.models:
        name = PREFIXES.get(provider.id, "") + model.id
        if provider.find_model(name.lower(), all_providers=providers) is model:
            yield name, model


@pytest.mark.parametrize("ours", MAIN)
def test_every_model_costs_what_the_library_says(ours: str) -> None:
    """Same tokens, moment and tier: the same Decimal."""
    provider = BY_ID[MAIN[ours]]
    compared = 0
    for name, model in models_of(provider):
        for moment in MOMENTS:
            at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
            for usage, book_usage in USAGES:
                for given, context in CONTEXTS if model.price_variants else CONTEXTS[:1]:
                    cost = PRICER.price(call(ours, name, usage, at=moment, **given))  # type: ignore[arg-type]
                    if isinstance(cost, Unpriced):
                        # A model that is sold by the page or the hour alone.
                        assert cost.reason == "unknown_unit", model.id
                        continue
                    expected = model.calc_price(
                        BookUsage(**book_usage), provider, genai_request_timestamp=at, price_context=context
                    )
                    assert cost.total_usd == expected.total_price, (model.id, moment, context, usage)
                    compared += 1
    assert compared > 40


def test_every_line_adds_up() -> None:
    """The total is the sum of its lines, and each line's quantity is the leaf's."""
    for usage, _ in USAGES:
        cost = PRICER.price(call("openai", "gpt-5", usage))
        assert isinstance(cost, Cost)
        assert sum(line.amount_usd for line in cost.lines) == cost.total_usd
        assert sum(line.quantity for line in cost.lines) == (usage.input_tokens or 0) + (usage.output_tokens or 0)


def test_prices_change_at_whole_minutes() -> None:
    """What was found in a minute is used until its end; the book has no finer time."""
    times = [
        moment
        for provider in providers
        for model in provider.models
        if isinstance(model.prices, list)
        for price in model.prices
        if isinstance(price.constraint, TimeOfDateConstraint)
        for moment in (price.constraint.start_time, price.constraint.end_time)
    ]
    assert times
    assert all(moment.second == moment.microsecond == 0 for moment in times)


def test_version_and_hash_name_the_data() -> None:
    """The library's version and a hash over both of its tables."""
    files = [(resources.files("genai_prices") / name).read_bytes() for name in ("data.py", "data_units.py")]
    assert (Catalog().edition, Catalog().digest) == ("genai-prices 0.2.3", hashlib.sha256(b"".join(files)).hexdigest())


def test_every_provider_is_decided() -> None:
    """Each provider that has a host of its own is in the book or named here as one that is not."""
    text = (resources.files("agent.dialects") / "providers.toml").read_text()
    names = {block["name"] for block in tomllib.loads(text)["provider"]}
    without = {
        *("ai21", "aleph_alpha", "alibaba", "aws.sagemaker", "crusoe", "deepgram", "deepinfra", "github"),
        *("hugging_face", "ibm.watsonx.ai", "jina", "nebius", "nvidia", "ollama", "pydantic_gateway", "replicate"),
        *("sambanova", "snowflake", "writer"),
        *("exa", "firecrawl", "pinecone", "serper", "tavily", "chroma", "qdrant", "weaviate", "zilliz"),
    }
    assert {name for name in names if not Catalog.knows_provider(name)} == without


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("models/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("google/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("publishers/anthropic/models/claude-sonnet-4-5@20250929", "google/claude-sonnet-4-5"),
    ],
)
def test_resource_names_of_google(name: str, rule: str) -> None:
    """Its OpenAI-compatible routes answer with them."""
    found = Catalog().rates("gcp.vertex_ai", name, at_ns=at_ns("2026-11-20"), selectors={})
    assert found is not None
    assert found.rule == rule


def test_long_names_are_no_models() -> None:
    """A name of a megabyte is not matched against thousands of patterns."""
    found = Catalog().rates("openai", "gpt-4o" + "x" * 10**6, at_ns=at_ns("2026-11-20"), selectors={})
    assert found is None


def test_what_the_book_says_and_we_do_not_know_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new kind of price in a later book must not be left out of the sum in silence."""
    (model,) = [model for model in BY_ID["openai"].models if model.id == "gpt-4"]
    prices = type(PRICES)(**{**vars(PRICES), "brain_waves_kcount": Decimal(1)})
    monkeypatch.setattr(model, "prices", prices)
    with pytest.raises(PriceBookError, match=r"gpt-4.*brain_waves"):
        Catalog().rates("openai", "gpt-4", at_ns=at_ns("2026-11-20"), selectors={})
    unpriced = Pricer().price(call("openai", "gpt-4"))
    assert unpriced == Unpriced(reason="price_book_error")


PRICES = next(model for model in BY_ID["openai"].models if model.id == "gpt-4").get_prices(datetime.now(tz=UTC))


def test_the_pinned_tables_have_their_date() -> None:
    """
    Taking in another version of the library without the day it was published fails here.
    """
    published = Catalog().published
    assert published is not None, "add the version's upload time on PyPI to agent/pricing/catalog.py, _PUBLISHED"
    assert published.tzinfo is not None
    assert published.year >= 2026


def test_tables_of_unknown_age_have_no_date() -> None:
    """A file of tables says nothing of its day, and the day of installation would make old prices young."""
    assert Catalog(list(providers), edition="file", digest="0").published is None
