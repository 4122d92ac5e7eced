"""How the demo decides; playing it is in tests/kernel/test_demo.py."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.demo import run
from agent.demo.books import Served, Tokens, cost_usd, to_line
from agent.demo.pods import CAST
from agent.demo.sandbox import Sandbox
from agent.demo.watcher import Watcher
from agent.model import PodtabError

POD = CAST[0]
MODEL = "gpt-4.1-2025-04-14"
TOKENS = Tokens(input=70, output=5)
KIND, _, NAME = POD.workload.partition("/")
LABELS = (
    f'namespace="{POD.namespace}",workload_kind="{KIND}",workload="{NAME}",pod="{POD.name}",'
    f'team="{POD.team}",feature="{POD.feature}",environment="{POD.environment}"'
)


def page(calls: int) -> str:
    return (
        f'podtab_calls_total{{{LABELS},outcome="ok",evidence="reported"}} {calls}\n'
        f'podtab_tokens_total{{{LABELS},type="input"}} {70 * calls}\n'
        f'podtab_tokens_total{{{LABELS},type="output"}} {5 * calls}\n'
        f"podtab_cost_usd_total{{{LABELS}}} {0.00018 * calls}\n"
    )


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sandbox]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"], text=True) as process:
        made = Sandbox(folder=tmp_path, group=tmp_path, authority=tmp_path, certificate=tmp_path, provider=process)
        served = Served(
            client=POD.key,
            provider="openai",
            api="openai/chat",
            model=MODEL,
            status=200,
            streaming=False,
            tokens=TOKENS,
            cost_usd=cost_usd(MODEL, TOKENS),
        )
        made.books.write_text(to_line(served) * 2)
        yield made
        process.kill()


@pytest.fixture
def agent(box: Sandbox) -> Watcher:
    return Watcher(process=box.provider, port=1, log=box.folder / "agent.log")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "DRAIN_SECONDS", 0.5)
    monkeypatch.setattr(run, "AFTERWARDS_SECONDS", 0.2)
    monkeypatch.setattr(run, "POLL_SECONDS", 0.01)


def pages(monkeypatch: pytest.MonkeyPatch, *counts: int) -> None:
    """What the agent says, scrape by scrape; the last for ever."""
    left = list(counts)
    monkeypatch.setattr(Watcher, "metrics", lambda _: page(left.pop(0) if len(left) > 1 else left[0]))


def test_it_waits_until_the_agent_has_counted(box: Sandbox, agent: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures arrive a moment after the workload's last byte."""
    pages(monkeypatch, 0, 1, 1, 2)
    agreement, _ = run.settle(box, [POD], agent)
    assert agreement.share == 1.0


def test_a_missing_call_is_a_difference_after_the_time_to_drain(
    box: Sandbox, agent: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It doesn't wait for ever, and doesn't round up."""
    pages(monkeypatch, 1)
    agreement, _ = run.settle(box, [POD], agent)
    assert agreement.share == 0.0
    assert len(agreement.differences) == 4


def test_a_call_counted_twice_is_found_though_both_sides_agreed_once(
    box: Sandbox, agent: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second count comes after the first, when a hasty comparison has already passed."""
    pages(monkeypatch, 1, 2, 2, 3)
    agreement, _ = run.settle(box, [POD], agent)
    assert {one.captured for one in agreement.differences if one.figure == "outcome_ok"} == {"3"}


def test_no_calls_are_no_demo() -> None:
    """Told before anything starts."""
    with pytest.raises(PodtabError, match="at least 1"):
        run.demo(rounds=0, as_json=True, hold=False)
