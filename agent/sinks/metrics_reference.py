"""``python -m agent.sinks.metrics_reference`` prints docs/metrics.md."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from agent.sinks.metrics import BASE, EVENTS, HEALTH, TIMED, WHO, Metric

_HEAD = """# Metrics

Generated from `agent/sinks/metrics.py` by `make docs`; do not edit.

`who` stands for `{who}`, `base` for `{base}`, `timed` for `{timed}`.
`evidence` is how a figure is known: `reported` (the provider's own final count), `estimated` (counted by podtab: docs/accuracy.md says how well), `partial` (bytes were lost or the
stream was cut), `absent` (a call was served and nothing says what it used), `not_applicable` (errors).
Free label values are bounded; what comes after the limit is counted under `other`.
"""


def reference() -> str:
    """The document."""
    head = _HEAD.format(who=" ".join(WHO), base=" ".join(BASE), timed=" ".join(TIMED))
    return head + _table("Calls and money", EVENTS) + _table("Health", HEALTH)


def _table(title: str, metrics: Iterable[Metric]) -> str:
    rows = [f"\n## {title}\n", "| name | type | labels | meaning |", "|---|---|---|---|"]
    rows += [f"| `{m.exposed_name}` | {m.kind} | {_labels(m.labels)} | {m.help} |" for m in metrics]
    return "\n".join(rows) + "\n"


def _labels(labels: tuple[str, ...]) -> str:
    for name, group in (("base", BASE), ("timed", TIMED), ("who", WHO)):
        if labels[: len(group)] == group:
            return " ".join([f"*{name}*", *(f"`{label}`" for label in labels[len(group) :])])
    return " ".join(f"`{label}`" for label in labels)


if __name__ == "__main__":
    sys.stdout.write(reference())
