"""What can be read, over all nodes."""

from __future__ import annotations

import json

import pytest

from agent.kubectl.agents import find
from agent.kubectl.coverage import coverage
from tests.kubectl.fakes import FakeApi, pod


def test_what_can_be_mended_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    """With its remedy; one namespace only; an answer that is none makes it partial."""
    fine = {"pid": 1, "name": "node", "reason": "readable", "library": "/lib/x", "detail": "", "remedy": ""}
    blind = {"pid": 2, "name": "go\x1b", "reason": "cannot_decrypt", "detail": "Go", "remedy": "nothing yet"}
    api = FakeApi([pod("a", "n1"), pod("b", "n2")])
    who = {"workload_kind": "Deployment", "workload": "web", "pod": "web-1"}
    pods = [{"namespace": "shop", **who, "processes": [fine, blind]}, {"namespace": "ml", **who, "processes": [fine]}]
    api.says("a", "/api/v1/coverage", {"pods": pods})
    api.says("b", "/api/v1/coverage", "[]")
    assert coverage(api, find(api), namespace="shop", as_json=False) == 3
    text = capsys.readouterr().out
    assert "1 of 2 processes with TLS readable" in text
    assert text.index("cannot_decrypt") < text.index("node (1)")
    assert "Go → nothing yet" in text
    assert "\x1b" not in text
    assert "n2: ai-cost/b: its answer can't be read: has no list pods" in text
    assert coverage(api, find(api), namespace="", as_json=True) == 3
    assert [one["namespace"] for one in json.loads(capsys.readouterr().out)["pods"]] == ["shop", "ml"]
