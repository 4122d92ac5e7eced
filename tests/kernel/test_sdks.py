"""
Each official SDK, synchronous, asynchronous and streaming, over real TLS: what it was told is what podtab captured.

All workloads play at once, each in its own pod's cgroup, watched by one agent; each test then looks at its own pod.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.demo import scrape, watcher
from agent.demo.agreement import OUTCOME, WITHOUT_PRICE, WITHOUT_USAGE, Agreement, PodResult
from agent.demo.pods import Pod
from agent.demo.run import run_workloads, settle
from agent.demo.sandbox import sandbox
from agent.pipeline.hellos import SETTLE_NS

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

ROUNDS = 3
CALLS = {
    "openai_sync.py": ("chat", "tools", "stream", "responses", "responses_stream", "embeddings"),
    "openai_async.py": ("chat", "stream", "responses", "responses_stream", "embeddings"),
    "anthropic_sync.py": ("messages", "tools", "stream"),
    "anthropic_async.py": ("messages", "stream"),
    "gemini_sync.py": ("generate", "stream"),
    "gemini_async.py": ("generate", "stream"),
    "openai_node.cjs": ("chat", "stream", "responses", "responses_stream", "embeddings"),
    "anthropic_node.cjs": ("messages", "stream"),
}
CASES = [(script, step) for script, steps in CALLS.items() for step in steps]
ODD = ("silent_stream", "unlisted_model", "routed")


def pod_of(script: str, step: str, name: str = "") -> Pod:
    name = name or f"{script.partition('.')[0]}-{step}".replace("_", "-")
    return Pod(
        namespace="sdks",
        name=name,
        owner_kind="",
        owner="",
        workload=f"Pod/{name}",
        team=step.replace("_", "-"),
        environment="test",
        script=script,
        steps=(step,),
        run=f"sdks-{os.getpid()}",
    )


PODS = [
    *(pod_of(script, step) for script, step in CASES),
    *(pod_of("openai_sync.py", step) for step in ODD),
    pod_of("openai_sync.py", "chat", "troubled"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    agreement: Agreement
    captured: scrape.Captured
    page: str

    def of(self, name: str) -> PodResult:
        (result,) = [result for result in self.agreement.pods if result.pod == name]
        return result

    def connections(self, name: str) -> dict[str, int]:
        """To model APIs, by what became of them, as packets told of them."""
        return {
            sample.labels["outcome"]: int(sample.value)
            for family in text_string_to_metric_families(self.page)
            for sample in family.samples
            if sample.name == "podtab_model_connections_total" and sample.labels["pod"] == name and sample.value
        }

    def evidence(self, name: str) -> set[str]:
        """Of the calls that were answered."""
        return {
            sample.labels["evidence"]
            for family in text_string_to_metric_families(self.page)
            for sample in family.samples
            if sample.name == "podtab_calls_total" and sample.labels["pod"] == name and sample.labels["outcome"] == "ok"
        }


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    subprocess.run([Path(__file__).parents[2] / "scripts" / "setup-demo"], check=True)
    with sandbox() as box:
        agent = watcher.start(box, PODS)
        run_workloads(box, PODS, ROUNDS, agent)
        agreement, captured = settle(box, PODS, agent)
        time.sleep(SETTLE_NS / 1e9 + 1)  # until it is told what became of connections
        page = agent.metrics()
        assert agent.stop() == 0
        yield Played(agreement=agreement, captured=captured, page=page)


@pytest.mark.parametrize(("script", "step"), CASES)
def test_every_call_is_captured_with_the_providers_own_count(played: Played, script: str, step: str) -> None:
    """Calls, every kind of token, cost and names equal the books, and all of it is reported, nothing guessed."""
    name = pod_of(script, step).name
    result = played.of(name)
    assert result.differences == ()
    assert result.captured[OUTCOME + "ok"] == ROUNDS
    assert played.evidence(name) == {"reported"}


@pytest.mark.parametrize(("script", "step"), CASES)
def test_every_connection_is_told_as_read(played: Played, script: str, step: str) -> None:
    """By its packets, which know nothing of the library: none as not read; where a socket is not known that is told as such."""
    came = played.connections(pod_of(script, step).name)
    assert came.get("read", 0) > 0
    assert set(came) <= {"read", "unknown"}


def test_a_stream_without_usage_is_told_as_such(played: Played) -> None:
    """Its tokens are estimated and told as such, beside what was reported; not a call that cost nothing."""
    result = played.of("openai-sync-silent-stream")
    assert result.differences == ()
    assert result.captured[WITHOUT_USAGE] == ROUNDS
    assert played.evidence(result.pod) == {"estimated"}


def test_a_model_without_a_price_has_tokens_and_no_cost(played: Played) -> None:
    """Counted as unpriced."""
    result = played.of("openai-sync-unlisted-model")
    assert result.differences == ()
    assert result.captured[WITHOUT_PRICE] == ROUNDS


def test_a_stated_cost_wins_over_the_price_book(played: Played) -> None:
    """OpenRouter says what it charges, in documents and in streams; the fake's word is off every list."""
    assert played.of("openai-sync-routed").differences == ()


def test_refused_attempts_are_calls_of_their_own(played: Played) -> None:
    """The SDK retries a 429 silently; the application sees one call, the provider and podtab see two."""
    result = played.of("troubled")
    assert result.differences == ()
    assert result.captured[OUTCOME + "rate_limited"] == 1
    assert result.captured[OUTCOME + "ok"] == ROUNDS


def test_nothing_else_was_captured(played: Played) -> None:
    """The fake provider's own side of the same TLS connections must not count a second time."""
    assert not [who for who in played.captured.elsewhere if "python" in who.lower()]
