"""Doctors of all nodes."""

from __future__ import annotations

import json

import pytest

from agent.kubectl.agents import find
from agent.kubectl.doctor import doctor
from tests.kubectl.fakes import FakeApi, pod


def test_nodes_that_say_the_same_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What fails comes first and is exit code 1."""
    api = FakeApi([pod("a", "n1"), pod("b", "n2")])
    kernel = {"name": "kernel", "grade": "ok", "found": "6.18", "meaning": "", "remedy": ""}
    broken = {"name": "bcc", "grade": "fail", "found": "none", "meaning": "no capture", "remedy": "install it"}
    api.says("a", "/api/v1/doctor", {"ok": True, "checks": [kernel]})
    api.says("b", "/api/v1/doctor", {"ok": False, "checks": [kernel, broken]})
    assert doctor(api, find(api), as_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    (bcc,) = [line.split() for line in lines if line.startswith("bcc")]
    (same,) = [line.split() for line in lines if line.startswith("kernel")]
    assert (bcc[1:3], same[1:3]) == (["fail", "n2"], ["ok", "all"])
    assert any("→ install it" in line for line in lines)
    assert doctor(api, find(api), as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False
