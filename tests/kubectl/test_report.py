"""Who did not answer."""

from __future__ import annotations

from agent.kubectl.agents import Agent, Answers, Silent
from agent.kubectl.report import exit_code, missing


def test_a_thousand_nodes_have_few_causes() -> None:
    """One line a cause, with the first nodes' names."""
    silent = [
        Silent(
            agent=Agent(namespace="ns", pod=f"p{place}", node=f"n{place}", scheme="http", port=1),
            reason="late",
            remedy="wait",
        )
        for place in range(1000)
    ]
    answers: Answers[str] = Answers(given=[], silent=silent)
    assert len(missing(answers)) == 2
    assert "n0, n1, n2, n3, n4 and 995 more: ns/p0: late → wait" in missing(answers)[1]
    assert exit_code(answers) == 3
    assert exit_code(Answers(given=[], silent=[])) == 0
