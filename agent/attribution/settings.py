"""What attribution needs to know; the agent's configuration is made into this once."""

from __future__ import annotations

from dataclasses import dataclass

from agent.model import PodtabError


class AttributionError(PodtabError):
    """Attribution can't start as configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionSettings:
    cluster: str = ""
    node: str = ""
    team: tuple[str, ...] = ("podtab.io/team", "team", "app.kubernetes.io/team")
    """Names of pod labels, pod annotations, then namespace annotations and labels, in this order; the first that is set wins."""
    feature: tuple[str, ...] = ("podtab.io/feature", "feature")
    customer: tuple[str, ...] = ("podtab.io/customer", "customer")
    environment: tuple[str, ...] = ("podtab.io/environment", "environment", "env")
    hold_ns: int = 10 * 10**9
    """How long a call waits for its pod's object."""
    grace_ns: int = 300 * 10**9
    """How long after its end a pod is remembered, for late calls and last scrapes."""
