"""
Queries, made from the agent's own table of metrics: a label that a metric does not have stops the generator.

Theory: ``increase()`` over a range is what a counter grew by.
Practice: the first sample of a series is a growth too (a Job that calls once, a pod that is born), and ``increase()`` takes it for
the past.  So ``grown`` adds the first value of series that were not there before the range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from agent.sinks.metrics import Metric

INSTANCE = "instance"
"""Not a label of ours: Prometheus names by it the agent that it scraped."""

# How long a series may have been away and still count as known before the range: Prometheus restarts, nodes are drained.
KNOWN_BEFORE = "1h"


class Matcher(NamedTuple):
    """``label op "value"``."""

    label: str
    operator: Literal["=", "!=", "=~", "!~"]
    value: str

    def __str__(self) -> str:
        return f'{self.label}{self.operator}"{self.value}"'


def equal(label: str, value: str) -> Matcher:
    return Matcher(label, "=", value)


def differs(label: str, value: str) -> Matcher:
    return Matcher(label, "!=", value)


def one_of(label: str, *values: str) -> Matcher:
    return Matcher(label, "=~", "|".join(values))


@dataclass(frozen=True, slots=True)
class Scope:
    """Which of a dashboard's variables narrow its queries; a metric that lacks a label is not narrowed by it."""

    variables: tuple[str, ...]

    def select(self, metric: Metric, *matchers: Matcher, part: Literal["", "bucket", "sum", "count"] = "") -> str:
        """A vector selector."""
        name = f"{metric.exposed_name}_{part}" if part else metric.exposed_name
        chosen = [
            Matcher(label, "=~", f"${label}") for label in self.variables if label in metric.labels or label == INSTANCE
        ]
        found = [*chosen, *matchers]
        for matcher in found:
            _check(metric, matcher.label)
        return f"{name}{{{','.join(map(str, found))}}}" if found else name

    def grown(self, metric: Metric, *matchers: Matcher, by: tuple[str, ...] = (), window: str = "$__range") -> str:
        """What a counter grew by in ``window``, first values of new series included."""
        return _sum(metric, by, _grown(self.select(metric, *matchers), window))

    def per_second(
        self, metric: Metric, *matchers: Matcher, by: tuple[str, ...] = (), part: Literal["", "sum", "count"] = ""
    ) -> str:
        """The rate of a counter, or of a histogram's sum or count."""
        return _sum(metric, by, f"rate({self.select(metric, *matchers, part=part)}[$__rate_interval])")

    def quantile(
        self, quantile: float, metric: Metric, *, by: tuple[str, ...] = (), window: str = "$__rate_interval"
    ) -> str:
        """A quantile of a histogram, in its unit.  Over ``$__range`` it is of the whole time shown."""
        function = "rate" if window == "$__rate_interval" else "increase"
        buckets = f"{function}({self.select(metric, part='bucket')}[{window}])"
        return f"histogram_quantile({quantile:g}, {_sum(metric, (*by, 'le'), buckets)})"

    def latest(self, metric: Metric, *matchers: Matcher, by: tuple[str, ...] = (), how: str = "sum") -> str:
        """A gauge's value now."""
        return _sum(metric, by, self.select(metric, *matchers), how)


def _sum(metric: Metric, by: tuple[str, ...], inner: str, how: str = "sum") -> str:
    for label in by:
        if label != "le":
            _check(metric, label)
    grouping = f" by ({', '.join(by)}) " if by else ""
    return f"{how}{grouping}({inner})"


def _grown(selector: str, window: str) -> str:
    first = f"min_over_time({selector}[{window}]) unless present_over_time({selector}[{KNOWN_BEFORE}] offset {window})"
    # The extra label keeps both alive through `or`: a series can have a first value and have grown since.
    return f'increase({selector}[{window}]) or label_replace({first}, "born", "1", "", "")'


def _check(metric: Metric, label: str) -> None:
    if label not in metric.labels and label != INSTANCE:
        raise ValueError(f"{metric.exposed_name} has no label {label}; it has {', '.join(metric.labels) or 'none'}")


# ------------------------------------------------------------------------------------------------------------- combinations


def or_zero(query: str, known: str) -> str:
    """0 where nothing was counted and ``known``, of the same labels, says that something was there to count: ignorance stays empty."""
    return f"({query} or {known} * 0)"


def or_none(query: str, known: str, label: str) -> str:
    """As ``or_zero`` for a query by ``label``: one series called `none`."""
    return f'({query} or on() label_replace(sum({known}) * 0, "{label}", "none", "", ""))'


def above_zero(query: str) -> str:
    """Nothing where it is 0: fit to divide by."""
    return f"({query} > 0)"


def called(query: str, label: str, text: str) -> str:
    """``text`` where the label is empty, so that a legend is never blank."""
    return f'label_replace({query}, "{label}", "{text}", "{label}", "")'


def before(query: str) -> str:
    """The same query at the end of the range before this one."""
    return f"last_over_time(({query})[2m:1m] offset $__range)"
