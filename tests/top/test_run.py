"""The command, against an agent's own server."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from itertools import pairwise

import pytest
from rich.console import Console

from agent.sinks.http import HttpServer
from agent.top import run, top
from agent.top.figures import Pod, read
from agent.top.run import History, fields
from agent.top.scrape import TopError
from tests.top.pages import CHECKOUT, VLLM, Agent


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    agent = Agent()
    agent.priced(CHECKOUT, 2)
    agent.unpriced(VLLM)
    server = HttpServer("127.0.0.1", 0, agent.registry, healthy=str, ready=str)
    server.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()


def test_over_a_pipe_it_is_one_table(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without escape codes, and it ends."""
    top(url=url)
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "shop/checkout-1" in text
    assert "unpriced" in text


def test_tokens_that_nobody_told_are_null() -> None:
    """A call that is due one and told none, against one that was refused."""
    for evidenced, tokens in ((1, None), (0, 0)):
        said = fields(Pod(namespace="", name="p", workload="", calls=1, evidenced=evidenced))
        assert (said["input_tokens"], said["cached_tokens"], said["output_tokens"]) == (tokens,) * 3


def test_json_says_null_for_unknown(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One object, in the chosen order."""
    top(url=url, as_json=True, sort="name")
    said = json.loads(capsys.readouterr().out)
    assert [(pod["namespace"], pod["cost_usd"], pod["unpriced"]) for pod in said["pods"]] == [
        ("ml", None, {"unknown_provider": 1}),
        ("shop", pytest.approx(0.00048), {}),
    ]
    assert said["total"]["calls"] == 3
    assert said["pods"][1]["input_tokens"] == 1200
    assert said["api_server_reachable"] is None
    top(url=url, as_json=True, by="model", sort="name")
    models = json.loads(capsys.readouterr().out)["models"]
    assert [(row["model"], row["calls"]) for row in models] == [
        ("openai/gpt-4o-mini-2024-07-18", 2),
        ("unknown/house-llama", 1),
    ]
    top(url=url, as_json=True, by="workload", namespace="shop")
    (row,) = json.loads(capsys.readouterr().out)["workloads"]
    assert (row["namespace"], row["workload"], "pod" in row) == ("shop", "Deployment/checkout", False)
    top(url=url, as_json=True, namespace="nobody")
    assert json.loads(capsys.readouterr().out)["pods"] == []


def test_mistakes_are_sentences(url: str) -> None:
    """A wrong order, and a page that is not ours."""
    with pytest.raises(TopError, match="--sort money: is none of cost, rate, calls, tokens, errors, name"):
        top(url=url, sort="money")
    with pytest.raises(TopError, match="--by node: is none of pod, workload, namespace, team, model"):
        top(url=url, by="node")
    for interval in (0.1, math.nan, math.inf):
        with pytest.raises(TopError, match=r"--interval .*: must be from 0\.2 to 3600 seconds"):
            top(url=url, interval_seconds=interval)
    with pytest.raises(TopError, match="status 404"):
        top(url=url.replace("/metrics", "/other"))
    with pytest.raises(TopError, match=r"not podtab's|is not a page of metrics"):
        top(url=url.replace("/metrics", "/healthz"))


class Screen(Console):
    """A terminal that remembers everything drawn."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), force_terminal=True, color_system=None, width=140, height=24)

    @property
    def text(self) -> str:
        assert isinstance(self.file, io.StringIO)
        return self.file.getvalue()


def test_live_until_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """First without rates, then with; an agent that goes away is told below its last figures; Ctrl-C ends it quietly."""
    agent = Agent()
    agent.priced(CHECKOUT, 2)
    server = HttpServer("127.0.0.1", 0, agent.registry, healthy=str, ready=str)
    server.start()
    drawn = Screen()
    seen: list[int] = []

    def sleep(seconds: float) -> None:
        seen.append(len(drawn.text))
        if len(seen) == 1:
            agent.priced(CHECKOUT, 1)
        elif len(seen) == 2:
            server.shutdown()
            server.server_close()
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "Console", lambda **_: drawn)
    monkeypatch.setattr("time.sleep", sleep)
    top(url=f"127.0.0.1:{server.server_port}")
    first, second, third = (drawn.text[start:end] for start, end in pairwise((0, *seen)))
    assert "2 calls" in first
    assert "/h" not in first.splitlines()[0]
    assert "3 calls" in second
    assert "/h  " in second
    assert "3 calls" in third
    assert "nothing listens there" in third


def test_rates_are_of_the_last_minute() -> None:
    """Older pages leave, one stays so that the minute is full; an agent that began anew has no past."""
    agent, history = Agent(), History()
    key = ("shop", "checkout-1", "Deployment/checkout")
    assert history.add(read(agent.page, 0)) == {}
    for second in range(2, 242, 2):
        # Two a minute for two minutes, then ten a second.
        agent.priced(CHECKOUT, 1 if second % 30 == 0 and second <= 120 else 20 if second > 120 else 0)
        found = history.add(read(agent.page, second))
        if second == 120:
            assert found[key].calls_per_minute == 2
    assert found[key].calls_per_minute == 600
    again = Agent()
    again.priced(CHECKOUT)
    assert history.add(read(again.page, 300)) == {}
    assert len(history._pages) == 1
