"""Sums over nodes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agent.kubectl.agents import find
from agent.kubectl.client import KubectlError
from agent.kubectl.top import top
from tests.kubectl.fakes import FORBIDDEN, FakeApi, pod
from tests.top.pages import CHECKOUT, VLLM, Agent


def cluster() -> FakeApi:
    api, here, there = FakeApi([pod("a", "n1"), pod("b", "n2")]), Agent(), Agent()
    here.priced(CHECKOUT, 2)
    there.priced(replace(CHECKOUT, pod="checkout-2"), 3)
    there.unpriced(VLLM)
    api.says("a", "/metrics", here.page)
    api.says("b", "/metrics", there.page)
    return api


def test_a_workload_spans_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    """Its pods' calls on all nodes are one row."""
    api = cluster()
    assert top(api, find(api), by="workload", sort="cost", namespace="shop", as_json=True) == 0
    said = json.loads(capsys.readouterr().out)
    (row,) = said["workloads"]
    assert (row["workload"], row["calls"], row["cost_usd"]) == ("Deployment/checkout", 5, pytest.approx(0.0012))
    assert (said["partial"], said["agents_answered"]) == (False, 2)


def test_a_sum_without_a_node_is_partial(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3; the node and the remedy are named, in the table and in the JSON."""
    api = cluster()
    api.answers["b", "/metrics"] = FORBIDDEN
    assert top(api, find(api), by="pod", sort="cost", namespace="", as_json=False) == 3
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "1 of 2 nodes (partial)" in text
    assert "n2: ai-cost/b: you may not use the pod proxy" in text
    assert "shop/checkout-1" in text
    assert top(api, find(api), by="pod", sort="cost", namespace="", as_json=True) == 3
    said = json.loads(capsys.readouterr().out)
    assert (said["partial"], said["unanswered"][0]["node"]) == (True, "n2")


def test_wrong_options_are_sentences() -> None:
    """Before anybody is asked."""
    with pytest.raises(KubectlError, match="--by node: is none of pod"):
        top(FakeApi([]), [], by="node", sort="cost", namespace="", as_json=False)
    with pytest.raises(KubectlError, match="--sort rate: is none of cost"):
        top(FakeApi([]), [], by="pod", sort="rate", namespace="", as_json=False)
