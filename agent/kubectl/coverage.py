"""``kubectl podtab coverage``: the same as ``podtab coverage``, over all nodes."""

from __future__ import annotations

from collections.abc import Sequence

from agent.kubectl.agents import Agent, ask
from agent.kubectl.client import Transport
from agent.kubectl.report import exit_code, show, summary, write_json
from agent.top.coverage import PATH, connections, drawn, rows
from agent.top.reading import items, text


def coverage(api: Transport, agents: Sequence[Agent], *, namespace: str, as_json: bool) -> int:
    """Print it; returns the exit code.  ``namespace`` "" means all, and the host's own processes."""
    answers = ask(api, agents, PATH, {}, accept="application/json", read=lambda body: items(body, "pods"))
    pods = [
        (agent.node, pod)
        for agent, found in answers.given
        for pod in found
        if not namespace or text(pod, "namespace") == namespace
    ]
    if as_json:
        write_json({"pods": [{"node": node, **pod} for node, pod in pods], **summary(answers)})
    else:
        show(drawn(rows(pods), connections(pods)), answers)
    return exit_code(answers)
