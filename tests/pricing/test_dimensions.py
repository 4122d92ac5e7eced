"""
Every dimension that a price can have, one golden case each, computed by hand (US dollars per million tokens unless said otherwise).

The numbers are those of the table in docs/pricing.md.  Each case is a Decimal and exact: nothing is rounded on the way.
"""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from agent.dialects import DIALECTS
from agent.model import Call, Cost, CostSource, Evidence, ExtraUsage, Outcome, RequestHead, Unpriced, Usage
from agent.pricing import PriceBook, Pricer, recompute
from agent.pricing.overrides import parse
from tests.pricing.calls import call

PRICER = Pricer()
K = Usage(input_tokens=1000, output_tokens=1000)
SATURDAY, FRIDAY = "2026-11-21T02:00:00", "2026-11-20T02:00:00"
CUSTOMER = parse(
    """
currencies: {EUR: 1.10}
aliases:
  - {provider: azure.ai.openai, model: chat-prod, is: gpt-4.1}
  - {provider: aws.bedrock, model: "arn:aws:bedrock:*:application-inference-profile/*", is: aws.bedrock/us.anthropic.claude-opus-5}
  - {provider: azure.ai.openai, model: chat-zone, is: gpt-4.1, region: datazone}
prices:
  - {host: vllm.models.svc, model: "qwen*", gpu_second: 0.0008, gpus: 2}
  - {host: free.models.svc, free: true}
  - {host: flat.models.svc, flat: 0.002, currency: EUR}
  - {provider: cerebras, model: own, per_million: {input: 1, output: 2}, currency: EUR}
discounts:
  - {provider: openai, model: "gpt-4o*", percent: 10, from: 2026-01-01, until: 2026-12-31, contract: EA-7}
""",
    "prices.yaml",
)
OWN = Pricer(PriceBook(overrides=CUSTOMER))


def heard(model: str, usage: Usage) -> ExtraUsage:
    return ExtraUsage(kind="input_audio_transcription", model=model, usage=usage)


CASES: list[tuple[str, Call, str]] = [
    # 600 × 0.15 + 200 × 0.60
    ("1 input, output", call("openai", "gpt-4o-mini", Usage(input_tokens=600, output_tokens=200)), "0.00021"),
    # OpenAI counts cached tokens in the prompt: 600 × 0.15 + 400 × 0.075 + 200 × 0.60
    (
        "2 cache read",
        call("openai", "gpt-4o-mini", Usage(input_tokens=1000, output_tokens=200, cache_read_input_tokens=400)),
        "0.00024",
    ),
    # 1000 × 3 + 2500 × 3.75 + 1500 × 6
    (
        "3 cache write 5 min and 1 h",
        call(
            "anthropic",
            "claude-sonnet-4-6",
            Usage(input_tokens=5000, cache_write_input_tokens=4000, cache_write_1h_input_tokens=1500),
        ),
        "0.021375",
    ),
    # 50,000 × 4 + 30,000 × 5 + 20,000 × 10
    (
        "4 cache write 12 h",
        call(
            "openai",
            "gpt-5.6-sol",
            Usage(input_tokens=100_000, cache_write_input_tokens=50_000, cache_write_12h_input_tokens=20_000),
        ),
        "0.55",
    ),
    # Cached writes above 272,000 tokens of input: 300,000 × 20, in all
    (
        "4 cache write 12 h, long context",
        call(
            "openai",
            "gpt-5.6-sol",
            Usage(input_tokens=300_000, cache_write_input_tokens=300_000, cache_write_12h_input_tokens=300_000),
        ),
        "6",
    ),
    # 1000 × 0.30 + (60 + 240) × 2.50
    (
        "5 reasoning",
        call(
            "gcp.gemini", "gemini-2.5-flash", Usage(input_tokens=1000, output_tokens=300, reasoning_output_tokens=240)
        ),
        "0.00105",
    ),
    # 100 × 4 + 200 × 0.40 + 200 × 0.40 + 500 × 32 + 250 × 64 + 50 × 16
    (
        "6 modalities, in, out and cached",
        call(
            "openai",
            "gpt-realtime",
            Usage(
                input_tokens=1000,
                output_tokens=300,
                cache_read_input_tokens=400,
                audio_input_tokens=700,
                cache_read_audio_input_tokens=200,
                audio_output_tokens=250,
            ),
        ),
        "0.03336",
    ),
    # Half of 3 and 15, as Anthropic says batch in its usage; half of 5 and 30, as OpenAI's address says so
    ("7 batch, said in the usage", call("anthropic", "claude-sonnet-4-6", K, tier="batch"), "0.009"),
    ("7 batch, known by the API", call("openai", "gpt-5.5", K, api="openai/batches"), "0.0175"),
    # Bedrock's batch: half of 5.50 and 27.50
    (
        "7 batch, by multiplier",
        call("aws.bedrock", "us.anthropic.claude-opus-5", K, api="bedrock/batch"),
        "0.0165",
    ),
    # 60 + 300; priority is 20 + 100, standard 10 + 50
    ("8 tier ultrafast", call("openai", "gpt-6-astra", K, tier="ultrafast"), "0.36"),
    ("8 tier priority", call("openai", "gpt-6-astra", K, tier="priority"), "0.12"),
    ("8 tier flex", call("openai", "gpt-5", K, tier="flex"), "0.005625"),
    # Twice 4 and 20
    ("9 fast mode", call("anthropic", "claude-opus-5-5", K, speed="fast"), "0.048"),
    # 100,001 × 0.50 + 1000 × 2.50, instead of 0.10 and 0.50 up to 100,000
    (
        "10 long context",
        call("anthropic", "claude-haiku-5-5", Usage(input_tokens=100_001, output_tokens=1000)),
        "0.0525005",
    ),
    (
        "10 at the cliff",
        call("anthropic", "claude-haiku-5-5", Usage(input_tokens=100_000, output_tokens=1000)),
        "0.0105",
    ),
    # 1.1 × (4 + 20); 1.1 × (1.50 + 9); 1.1 × (5 + 25)
    ("11 region by host, OpenAI", call("openai", "gpt-5.6-sol", K, host="eu.api.openai.com"), "0.0264"),
    (
        "11 region by host, Vertex",
        call("gcp.vertex_ai", "gemini-3.5-flash", K, host="europe-west4-aiplatform.googleapis.com"),
        "0.01155",
    ),
    ("11 region by answer, Anthropic", call("anthropic", "claude-opus-5", K, geo="us"), "0.033"),
    ("11 region by name, Bedrock", call("aws.bedrock", "eu.anthropic.claude-opus-5", K), "0.033"),
    # 1.25 + 10 the tokens, one container at 0.03, two searches of files at 2.50, one of the web at 10 a thousand
    (
        "12 server tools",
        call("openai", "gpt-5", K, tools={"code_interpreter": 3, "file_search": 2, "web_search": 1}),
        "0.05625",
    ),
    # 0.30 + 2.50, and the answer that searched once, however often: 35 a thousand; from Gemini 3 on by the query: 14
    ("12 grounding by answer", call("gcp.gemini", "gemini-2.5-flash", K, tools={"google_search_queries": 3}), "0.0378"),
    ("12 grounding by query", call("gcp.gemini", "gemini-3.5-flash", K, tools={"google_search_queries": 3}), "0.0525"),
    ("13 images by size", call("openai", "dall-e-3", Usage(images=2), variant="1024x1792/hd"), "0.24"),
    ("13 video seconds", call("gcp.gemini", "veo-3.1-generate-001", Usage(video_seconds=8.0), variant="4k"), "4.8"),
    # 100 × 5 + 4160 × 40
    (
        "13 image tokens",
        call("openai", "gpt-image-1", Usage(input_tokens=100, output_tokens=4160, image_output_tokens=4160)),
        "0.1669",
    ),
    ("14 embeddings", call("openai", "text-embedding-3-small", Usage(input_tokens=500)), "0.00001"),
    ("14 rerank", call("cohere", "rerank-v3.5", Usage(search_units=3)), "0.006"),
    ("14 rerank on Bedrock", call("aws.bedrock", "cohere.rerank-v3-5:0", Usage(search_units=3)), "0.006"),
    # Three pages at 4 and an annotated one at 5 a thousand
    ("14 pages", call("mistral_ai", "mistral-ocr-latest", Usage(pages=4, annotated_pages=1)), "0.017"),
    ("14 characters", call("openai", "tts-1", Usage(characters=1000)), "0.015"),
    # 7.5 ÷ 60 × 0.006
    ("14 seconds", call("openai", "whisper-1", Usage(audio_seconds=7.5)), "0.00075"),
    # 10 × 0.10 + 5 × 0.40 a million, and a minute at 0.004
    (
        "14 seconds beside tokens",
        call("mistral_ai", "voxtral-small-latest", Usage(input_tokens=10, output_tokens=5, audio_seconds=60.0)),
        "0.004003",
    ),
    # 100 × 4 + 900 × 32 + 200 × 64
    (
        "15 realtime",
        call(
            "openai",
            "gpt-realtime",
            Usage(input_tokens=1000, output_tokens=200, audio_input_tokens=900, audio_output_tokens=200),
        ),
        "0.042",
    ),
    # Text 40 × 0.60, of it cached 10 × 0.06; sound 60 × 10, of it cached 20 × 0.30; a picture 100 × 0.80; out 5 × 2.40 and 25 × 20
    (
        "15 realtime, cached text and sound",
        call(
            "openai",
            "gpt-realtime-mini",
            Usage(
                input_tokens=200,
                output_tokens=30,
                cache_read_input_tokens=30,
                cache_read_audio_input_tokens=20,
                cache_read_image_input_tokens=0,
                audio_input_tokens=60,
                image_input_tokens=100,
                audio_output_tokens=25,
            ),
        ),
        "0.0010166",
    ),
    # 10 × 4 + 2 × 16, and what was heard: 3 × 1.25 + 27 × 3 + 10 × 5
    (
        "15 realtime, transcribed by tokens",
        call(
            "openai",
            "gpt-realtime",
            Usage(input_tokens=10, output_tokens=2),
            extra=(heard("gpt-4o-mini-transcribe", Usage(input_tokens=30, output_tokens=10, audio_input_tokens=27)),),
        ),
        "0.00020675",
    ),
    # 10 × 4 + 2 × 16, and 6 seconds of 0.017 a minute
    (
        "15 realtime, transcribed by the second",
        call(
            "openai",
            "gpt-realtime",
            Usage(input_tokens=10, output_tokens=2),
            extra=(heard("gpt-realtime-whisper", Usage(audio_seconds=6.0)),),
        ),
        "0.001772",
    ),
    # 335 × 0.75 + 165 × 3 + 42 × 12 + 136 × 4.50
    (
        "15 Gemini Live, thoughts",
        call(
            "gcp.gemini",
            "gemini-3.8-live",
            Usage(
                input_tokens=500,
                output_tokens=178,
                audio_input_tokens=165,
                audio_output_tokens=42,
                reasoning_output_tokens=136,
            ),
        ),
        "0.00186225",
    ),
    ("16 fine-tuned", call("openai", "ft:gpt-4.1-mini-2025-04-14:acme::abc", K), "0.004"),
    # 0.15 + 0.60 on a Saturday, twice that on a Friday at the same hour
    ("19 weekend", call("deepseek", "deepseek-v4-flash", K, at=SATURDAY), "0.00075"),
    ("19 peak", call("deepseek", "deepseek-v4-flash", K, at=FRIDAY), "0.0015"),
    # 300,000 × 10 until 2026-03-12, × 5 after
    ("20 before", call("anthropic", "claude-opus-4-6", Usage(input_tokens=300_000), at="2026-03-12"), "3"),
    ("20 after", call("anthropic", "claude-opus-4-6", Usage(input_tokens=300_000), at="2026-03-13"), "1.5"),
    ("22 reported", call("x_ai", "grok-4.3", K, reported=Decimal("0.0006306")), "0.0006306"),
    ("26 credits", call("tavily", "", Usage(credits=2.0)), "0.016"),
    ("14 read units", call("pinecone", "", Usage(read_units=5)), "0.00008"),
]

OWN_CASES: list[tuple[str, Call, str]] = [
    # 2 + 8
    ("17 Azure deployment", call("azure.ai.openai", "chat-prod", K), "0.01"),
    (
        "17 Bedrock profile",
        call("aws.bedrock", "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x", K),
        "0.033",
    ),
    ("11 Data Zone", call("azure.ai.openai", "chat-zone", K), "0.011"),
    # 30 s × 2 × 0.0008
    ("18 GPU-seconds", call("unknown", "qwen3-32b", K, host="vllm.models.svc", seconds=30), "0.048"),
    ("18 nothing", call("unknown", "llama", K, host="free.models.svc"), "0"),
    # 0.002 euros
    ("18 flat, 26 currency", call("unknown", "llama", K, host="flat.models.svc"), "0.0022"),
    # (1 + 2) × 1.10
    ("26 currency", call("cerebras", "own", K), "0.0033"),
    # 0.9 × (2.50 + 10)
    ("21 contract", call("openai", "gpt-4o-2024-08-06", K), "0.01125"),
    ("21 contract is over", call("openai", "gpt-4o-2024-08-06", K, at="2027-01-01"), "0.0125"),
]


def priced(pricer: Pricer, made: Call) -> Cost:
    cost = pricer.price(made)
    assert isinstance(cost, Cost), cost
    return cost


@pytest.mark.parametrize(("name", "made", "expected"), CASES, ids=[case[0] for case in CASES])
def test_golden(name: str, made: Call, expected: str) -> None:
    """What a person computes from the price list is what comes out, to the last digit."""
    assert priced(PRICER, made).total_usd == Decimal(expected)


@pytest.mark.parametrize(("name", "made", "expected"), OWN_CASES, ids=[case[0] for case in OWN_CASES])
def test_golden_with_the_customers_file(name: str, made: Call, expected: str) -> None:
    """Aliases, own prices, contracts and currencies."""
    assert priced(OWN, made).total_usd == Decimal(expected)


@pytest.mark.parametrize("made", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_an_entry_recomputes_from_itself(made: Call) -> None:
    """Rates, quantities and multipliers are kept with the cost: years later no price book is needed to check it."""
    cost = priced(PRICER, made)
    assert recompute(cost) == cost.total_usd == sum(line.amount_usd for line in cost.lines)


@pytest.mark.parametrize("made", [case[1] for case in OWN_CASES], ids=[case[0] for case in OWN_CASES])
def test_an_entry_of_the_customer_recomputes_from_itself(made: Call) -> None:
    """Contracts too are kept, each with its factor."""
    cost = priced(OWN, made)
    assert recompute(cost) == cost.total_usd


def test_minimum_of_transcription() -> None:
    """Groq bills ten seconds at least: 0.111 an hour for three seconds is 10 ÷ 3600 × 0.111, and a word says so."""
    cost = priced(PRICER, call("groq", "whisper-large-v3", Usage(audio_seconds=3.0)))
    assert (cost.total_usd, cost.remarks) == (Decimal("0.111") * 10 / 3600, ("minimum_billed",))


def test_sessions_are_assumed() -> None:
    """A container may serve the next answer too; one a response is what can be said, and it is said."""
    cost = priced(PRICER, call("openai", "gpt-5", K, tools={"code_interpreter": 3}))
    assert cost.remarks == ("session_assumed",)


def test_committed_capacity_has_no_price_of_its_own() -> None:
    """23: paid by the hour whether it is used or not, so a call's cost is unknown, not 0."""
    made = call("gcp.vertex_ai", "gemini-2.5-pro", K, tier="PROVISIONED_THROUGHPUT")
    assert PRICER.price(made) == Unpriced(reason="committed")


def test_contracts_keep_the_list_price() -> None:
    """What the list says stands beside what is paid, and the contract's name beside its factor."""
    cost = priced(OWN, call("openai", "gpt-4o-2024-08-06", K))
    assert (cost.list_usd, [(one.name, one.factor) for one in cost.multipliers]) == (
        Decimal("0.0125"),
        [("EA-7", Decimal("0.9"))],
    )
    assert priced(PRICER, call("openai", "gpt-4o-2024-08-06", K)).list_usd is None


def test_customer_prices_need_no_usage() -> None:
    """18: a GPU's seconds cost the same whether the answer counted tokens or not, and a customer's word beats a reported cost."""
    made = call(
        "unknown",
        "qwen3-32b",
        Usage(),
        host="vllm.models.svc",
        seconds=30,
        evidence=Evidence.ABSENT,
        outcome=Outcome.OK,
    )
    cost = priced(OWN, made)
    assert (cost.total_usd, cost.source) == (Decimal("0.048"), CostSource.CUSTOMER)
    reported = call("cerebras", "own", K, reported=Decimal(9))
    assert priced(OWN, reported).total_usd == Decimal("0.0033")


def test_failed_calls_cost_nothing_that_we_know() -> None:
    """25: a refused call is not billed; one that was cut costs at least what was seen."""
    refused = call("openai", "gpt-4o", Usage(), outcome=Outcome.RATE_LIMITED, evidence=Evidence.ABSENT)
    assert PRICER.price(refused) == Unpriced(reason="not_billed")
    cut = call("anthropic", "claude-sonnet-4-6", Usage(input_tokens=1000), evidence=Evidence.PARTIAL)
    assert priced(PRICER, cut).total_usd == Decimal("0.003")


def test_contracts_do_not_touch_what_the_provider_reports() -> None:
    """22, 21: the provider has taken the contract into account or not; both are not ours to guess, so a word says so."""
    cost = priced(OWN, call("openai", "gpt-4o-2024-08-06", K, reported=Decimal("0.0125")))
    assert (cost.total_usd, cost.remarks) == (Decimal("0.0125"), ("contract_not_applied",))


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("generativelanguage.googleapis.com", "/v1beta/cachedContents"),
        ("api.openai.com", "/v1/vector_stores"),
        ("api.openai.com", "/v1/containers"),
    ],
)
def test_stored_things_are_no_calls(host: str, path: str) -> None:
    """24: what is billed by the gigabyte and the hour is not asked for by a call to a model, so nothing of it is added to one."""
    made = RequestHead(stream_id=1, method="POST", target=path, headers={"host": host})
    assert not any(dialect.accepts(made) for dialect in DIALECTS)


def test_every_dimension_of_the_list_has_its_case() -> None:
    """docs/pricing.md names the dimensions by number; each number opens a case's name here, or the docstring of a test."""
    page = (Path(__file__).parents[2] / "docs" / "pricing.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| (\d+) \| ", page, re.MULTILINE))
    told = [case[0] for case in (*CASES, *OWN_CASES)]
    told += [
        function.__doc__ or "" for name, function in vars(sys.modules[__name__]).items() if name.startswith("test_")
    ]
    proven = {number for text in told for number in re.findall(r"(?:^|, )(\d+)(?=[ ,:])", text)}
    assert listed == {str(number) for number in range(1, 27)}
    assert listed - proven == set()
