"""
Two sets of books compared: what the fake provider served and what the agent captured, figure by figure, pod by pod.

Pure.  A figure that only one side knows is a difference, never a zero that happens to fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from http import HTTPStatus

from agent.demo.books import Served, Tokens

# Costs are sums of binary floating-point numbers on the agent's side; the cheapest token there is costs 2e-8 dollars.
COST_TOLERANCE_USD = Decimal("1e-9")

OUTCOME = "outcome_"
TOKENS = "tokens_"
COST = "cost_usd"
WITHOUT_USAGE = "without_usage"
WITHOUT_PRICE = "without_price"

Figures = Mapping[str, Decimal]
"""Name → figure: ``outcome_ok`` … are calls, ``tokens_input`` … tokens.  What is 0 is left out, but for the cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    pod: str
    figure: str
    served: str
    captured: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodResult:
    pod: str
    served: Figures
    captured: Figures
    differences: tuple[Difference, ...]
    compared: int
    """How many figures at least one side has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    pods: tuple[PodResult, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        return tuple(difference for pod in self.pods for difference in pod.differences)

    @property
    def share(self) -> float:
        """Equal figures over compared figures: 1.0 only if everything is equal, and 0.0 where nothing was compared."""
        compared = sum(pod.compared for pod in self.pods)
        return (compared - len(self.differences)) / compared if compared else 0.0


def served_figures(rows: Iterable[Served]) -> dict[str, dict[str, Decimal]]:
    """Per client, from the books."""
    figures: dict[str, Counter[str]] = {}
    costs: dict[str, Decimal] = {}
    for row in rows:
        pod = figures.setdefault(row.client, Counter())
        pod[OUTCOME + outcome(row.status)] += 1
        costs[row.client] = costs.get(row.client, Decimal(0)) + (row.cost_usd or 0)
        if row.tokens is not None:
            for part in fields(Tokens):
                pod[TOKENS + part.name] += getattr(row.tokens, part.name)
            pod[WITHOUT_PRICE] += row.cost_usd is None
        elif row.status == HTTPStatus.OK:
            pod[WITHOUT_USAGE] += 1
    return {
        client: {name: Decimal(value) for name, value in pod.items() if value} | {COST: costs[client]}
        for client, pod in figures.items()
    }


def outcome(status: int) -> str:
    """In the words of the agent's label."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limited"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "server_error"
    return "client_error" if status >= HTTPStatus.BAD_REQUEST else "ok"


def compare(
    pods: Sequence[str],
    served: Mapping[str, Figures],
    captured: Mapping[str, Figures],
    misnamed: Sequence[Difference] = (),
) -> Agreement:
    """
    ``pods``: whom to compare, also those that neither side knows.

    ``misnamed``: differences in the names that captured figures carry, found by the caller; each counts as one figure.
    """
    results = []
    for pod in pods:
        left, right = served.get(pod, {}), captured.get(pod, {})
        # A pod that made no call would agree with an agent that saw nothing.
        names = sorted(set(left) | set(right)) or [OUTCOME + "ok"]
        unequal = [_difference(pod, name, left, right) for name in names]
        names_wrong = [difference for difference in misnamed if difference.pod == pod]
        results.append(
            PodResult(
                pod=pod,
                served=left,
                captured=right,
                differences=(*filter(None, unequal), *names_wrong),
                compared=len(names) + len(names_wrong),
            )
        )
    return Agreement(pods=tuple(results))


def _difference(pod: str, name: str, left: Figures, right: Figures) -> Difference | None:
    if name in left and name in right:
        tolerance = COST_TOLERANCE_USD if name == COST else Decimal(0)
        if abs(left[name] - right[name]) <= tolerance:
            return None
    elif name == COST and not left.get(name) and not right.get(name) and (left or right):
        # Nothing priced on one side, and a sum of nothing on the other.
        return None
    served, captured = (f"{side[name].normalize():f}" if name in side else "absent" for side in (left, right))
    return Difference(pod=pod, figure=name, served=served, captured=captured)


def total(results: Iterable[Figures], prefix: str) -> Decimal:
    """Sum of all figures whose name starts so."""
    return sum((value for figures in results for name, value in figures.items() if name.startswith(prefix)), Decimal(0))
