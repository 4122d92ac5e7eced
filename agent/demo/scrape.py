"""What the agent says: its /metrics page, read as Prometheus would, and summed per pod."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from prometheus_client.parser import text_string_to_metric_families

from agent.demo.agreement import COST, OUTCOME, TOKENS, WITHOUT_PRICE, WITHOUT_USAGE, Difference
from agent.demo.pods import Pod

# The names of podtab_tokens_total's types, in the words of the books.
TOKEN_TYPES = {
    "input": "input",
    "cache_read": "cache_read",
    "cache_write": "cache_write",
    "cache_write_1h": "cache_write_1h",
    "output": "output",
    "reasoning": "reasoning",
}
TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    figures: dict[str, dict[str, Decimal]]
    """Pod → figures."""
    misnamed: tuple[Difference, ...]
    """Labels that are not what the pod list says."""
    elsewhere: dict[str, Decimal]
    """Calls of what is not a pod of the demo: kind/name → how many."""


def get(host: str, port: int, path: str) -> tuple[int, str]:
    """Status and text; (0, "") where nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def read(page: str, pods: Sequence[Pod]) -> Captured:
    """Every sample that is money, a call or tokens; nothing that has a pod is left out."""
    known = {pod.name: pod for pod in pods}
    figures: dict[str, dict[str, Decimal]] = {}
    misnamed: dict[tuple[str, str], Difference] = {}
    elsewhere: dict[str, Decimal] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            names = _figures(sample.name, sample.labels)
            if not names or not sample.value:
                continue
            labels, value = sample.labels, Decimal(repr(sample.value))
            pod = known.get(labels.get("pod", ""))
            if pod is None:
                who = f"{labels['workload_kind']}/{labels['workload']}"
                if names[0].startswith(OUTCOME):
                    elsewhere[who] = elsewhere.get(who, Decimal(0)) + value
                continue
            row = figures.setdefault(pod.name, {})
            for name in names:
                row[name] = row.get(name, Decimal(0)) + value
            misnamed |= {(pod.name, wrong.figure): wrong for wrong in _wrong_labels(pod, labels)}
    return Captured(figures=figures, misnamed=tuple(misnamed.values()), elsewhere=elsewhere)


def _figures(sample: str, labels: dict[str, str]) -> list[str]:
    """Which figures a sample adds to."""
    if sample == "podtab_calls_total":
        silent = labels["outcome"] == "ok" and labels["evidence"] in ("absent", "estimated")
        return [OUTCOME + labels["outcome"], *([WITHOUT_USAGE] if silent else [])]
    if labels.get("evidence") == "estimated":
        return []  # podtab's own count of what the provider did not say; the books have nothing to compare it with
    if sample == "podtab_tokens_total":
        return [TOKENS + TOKEN_TYPES.get(labels["type"], labels["type"])]
    if sample == "podtab_cost_usd_total":
        return [COST]
    if sample == "podtab_unpriced_calls_total" and labels["reason"] not in ("no_usage", "not_billed"):
        return [WITHOUT_PRICE]
    return []


def _wrong_labels(pod: Pod, labels: dict[str, str]) -> list[Difference]:
    kind, _, name = pod.workload.partition("/")
    expected = {
        "namespace": pod.namespace,
        "workload_kind": kind,
        "workload": name,
        "team": pod.team,
        "feature": pod.feature,
        "environment": pod.environment,
    }
    return [
        # To Prometheus a label that is empty and one that is not there are the same.
        Difference(pod=pod.name, figure=f"label {label}", served=wanted, captured=labels.get(label, ""))
        for label, wanted in expected.items()
        if labels.get(label, "") != wanted
    ]
