"""Runs of assistants."""

from __future__ import annotations

from agent.model import Evidence
from tests.dialects.helpers import counts, read

HOST = "api.openai.com"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def run(status: str, usage: object = None, **more: object) -> dict[str, object]:
    return {"id": "run_1", "object": "thread.run", "model": "gpt-4o", "status": status, "usage": usage, **more}


def test_usage_on_run_and_step_counts_once() -> None:
    """The step's is a part of the run's."""
    step = {"id": "s", "object": "thread.run.step", "usage": USAGE}
    got = read("/v1/threads/t/runs", HOST, items=[run("queued"), step, run("completed", USAGE)])
    assert (counts(got), got.evidence) == ((10, 5), Evidence.REPORTED)


def test_polling_is_told() -> None:
    """The pipeline counts its usage once, by the run's id."""
    got = read("/v1/threads/t/runs/run_1", HOST, method="GET", answer=run("completed", USAGE))
    assert ("polled" in got.remarks, got.response_id) == (True, "run_1")


def test_a_run_that_waits_for_tools_names_them() -> None:
    """And has no usage yet."""
    action = {"submit_tool_outputs": {"tool_calls": [{"function": {"name": "f"}}]}}
    got = read("/v1/threads/t/runs", HOST, answer=run("requires_action", required_action=action))
    assert (got.tool_calls, got.evidence) == (("f",), Evidence.NOT_APPLICABLE)
