"""How the judgements are shown."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import partial

import pytest

from agent.capture.selftest import Result, SelfTest
from agent.config import loads
from agent.doctor import report
from agent.doctor.checks import Grade, examine
from agent.doctor.facts import collect
from tests.doctor.machines import GOOD, with_test


def test_only_a_failure_fails() -> None:
    """The exit code is 0 with warnings, 1 when capture can't work."""
    warned = with_test(GOOD, "uprobe_multi", Result.FAILED)
    assert report.exit_code(examine(GOOD)) == 0
    assert report.exit_code(examine(warned)) == 0
    assert report.exit_code(examine(replace(GOOD, bcc=""))) == 1


def test_json_says_the_same_as_the_table() -> None:
    """Every check with its grade, and the sum of them."""
    checks = examine(replace(GOOD, headers=""))
    data = json.loads(report.as_json_text(checks))
    assert data["ok"] is False
    assert [(check["name"], Grade(check["grade"])) for check in data["checks"]] == [(c.name, c.grade) for c in checks]
    assert set(data["checks"][0]) == {"name", "grade", "found", "meaning", "remedy"}


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (GOOD, "podtab can capture here."),
        (replace(GOOD, host_pids=False), "podtab can capture here; look at processes."),
        (replace(GOOD, headers="", bcc=""), "podtab can't capture here: bcc, headers."),
    ],
)
def test_the_table_ends_with_a_sentence(facts: object, sentence: str) -> None:
    """People read the last line first; hostile text in a path is no markup."""
    out = io.StringIO()
    report.show(examine(facts), out)  # type: ignore[arg-type]
    assert out.getvalue().rstrip().endswith(sentence)


def test_markup_in_what_was_found_is_text() -> None:
    """A library called [bold] must not style the table."""
    out = io.StringIO()
    report.show(examine(replace(GOOD, headers="/tmp/[bold]x[/bold]")), out)
    assert "[bold]x[/bold]" in out.getvalue()


def test_it_runs_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is missing here, and without root: an answer, no exception."""
    monkeypatch.setattr(report, "collect", partial(collect, try_things=False))
    out = io.StringIO()
    code = report.run(loads("attribution: {source: host}"), as_json=True, out=out)
    data = json.loads(out.getvalue())
    assert code == (0 if data["ok"] else 1)
    assert {check["name"] for check in data["checks"]} >= {"kernel", "bpf", "sites"}


def test_a_running_agent_tells_what_it_tried_at_its_start() -> None:
    """Nothing is tried again: the agent's own results stand in the checks."""
    tried = (SelfTest(name="ring_buffer", result=Result.PASSED, detail="5,000 bytes came through"),)
    data = json.loads(report.of_running_agent(loads("attribution: {source: host}"), tried))
    (ring,) = [check for check in data["checks"] if check["name"] == "ring_buffer"]
    assert (ring["grade"], ring["found"]) == ("ok", "5,000 bytes came through")
