"""``kubectl podtab top``: the figures of all nodes' /metrics, so the same as Prometheus has of them, added up."""

from __future__ import annotations

from collections.abc import Sequence

from agent.kubectl.agents import Agent, Answers, ask
from agent.kubectl.client import KubectlError, Transport
from agent.kubectl.report import console, exit_code, show, sources, summary, write_json
from agent.top.figures import By, Snapshot, merge, read, total
from agent.top.run import fields, identity
from agent.top.view import Sort, rows, screen


def look(api: Transport, agents: Sequence[Agent], *, by: By, namespace: str) -> Answers[Snapshot]:
    """One snapshot an agent."""
    return ask(
        api,
        agents,
        "/metrics",
        {},
        accept="text/plain",
        read=lambda body: read(body.decode("utf-8", "replace"), 0.0, by=by, namespace=namespace),
    )


def top(api: Transport, agents: Sequence[Agent], *, by: str, sort: str, namespace: str, as_json: bool) -> int:
    """Print it; returns the exit code."""
    if by not in set(By):
        raise KubectlError(f"--by {by}: is none of {', '.join(By)}")
    orders = [one.value for one in Sort if one is not Sort.RATE]
    if sort not in orders:
        raise KubectlError(f"--sort {sort}: is none of {', '.join(orders)}")
    answers = look(api, agents, by=By(by), namespace=namespace)
    whole = merge([page for _, page in answers.given])
    shown = rows(whole, {}, sort=Sort(sort))
    if as_json:
        write_json(
            {
                "total": fields(total(row.pod for row in shown)),
                f"{by}s": [{**identity(row.pod, By(by)), **fields(row.pod)} for row in shown],
                "lost_bytes": whole.lost_bytes,
                **summary(answers),
            }
        )
        return exit_code(answers)
    width = console().width
    picture = screen(whole, shown, width=width, height=None, source=sources(answers), live=False, by=By(by))
    show([picture], answers)
    return exit_code(answers)
