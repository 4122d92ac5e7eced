"""The last calls of a pod."""

from __future__ import annotations

import json

import pytest

from agent.kubectl.agents import find
from agent.kubectl.calls import calls
from agent.kubectl.client import KubectlError
from tests.kubectl.fakes import FakeApi, pod


def call(at: str, **changes: object) -> dict[str, object]:
    return {
        "at": at,
        "provider": "openai",
        "served_model": "gpt-4o-mini",
        "status": 200,
        "outcome": "ok",
        "evidence": "reported",
        "tokens": {"input": 600, "cache_read": 400, "output": 150, "reasoning": 50},
        "cost_usd": "0.00024",
        "duration_seconds": 1.0,
        "time_to_first_token_seconds": None,
        **changes,
    }


def cluster() -> FakeApi:
    api = FakeApi([pod("a", "n1"), pod("b", "n2")])
    first, third = call("2026-01-01T00:00:01Z"), call("2026-01-01T00:00:03Z", container="\x1b]0;x\x07")
    second = call("2026-01-01T00:00:02Z", unpriced="unknown_model")
    del second["cost_usd"]
    api.says("a", "/api/v1/calls", {"calls": [third, first]})
    api.says("b", "/api/v1/calls", {"calls": [second]})
    return api


def test_newest_first_over_all_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    """The limit is of all; the agents filter."""
    api = cluster()
    assert calls(api, find(api), pod="web-0", namespace="shop", limit=2, watch=False, as_json=True) == 0
    said = json.loads(capsys.readouterr().out)["calls"]
    assert [one["at"][-3:-1] for one in said] == ["03", "02"]
    assert api.asked[-1][1] == {"pod": "web-0", "namespace": "shop", "limit": "2"}


def test_a_table_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    """Unpriced is a word, tokens are of disjoint kinds."""
    api = cluster()
    calls(api, find(api), pod="web-0", namespace="shop", limit=20, watch=False, as_json=False)
    text = capsys.readouterr().out
    assert not {"\x1b", "\x07"} & set(text)
    assert "$0.000240" in text
    assert "unpriced: unknown_model" in text
    assert {"600", "400", "200"} <= set(text.split())


def test_watching_tells_each_call_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Oldest first, as a log."""
    api, looks = cluster(), []

    def sleep(_: float) -> None:
        looks.append(1)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    assert calls(api, find(api), pod="web-0", namespace="shop", limit=20, watch=True, as_json=True) == 0
    lines = [json.loads(line)["at"][-3:-1] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["01", "02", "03"]


def test_mistakes_and_nothing_are_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    """A limit that no agent has, and a pod without calls."""
    api = FakeApi([pod("a", "n1")])
    api.says("a", "/api/v1/calls", {"calls": []})
    with pytest.raises(KubectlError, match="--limit 0"):
        calls(api, find(api), pod="x", namespace="", limit=0, watch=False, as_json=False)
    assert calls(api, find(api), pod="x", namespace="", limit=5, watch=False, as_json=False) == 0
    assert "No calls of pod x" in capsys.readouterr().out
