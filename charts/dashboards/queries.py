"""
Every query of a dashboard, ready for Prometheus: read from the JSON, so that what is tested is what is shipped.

Pure: no network, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

EVERYTHING: Mapping[str, str] = {"__rate_interval": "5m", "__range": "1h", "__interval": "1m"}
"""What stands for Grafana's own variables if the caller does not say; template variables stand for their `all` value."""

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


class UnknownVariableError(ValueError):
    """A query names a variable that neither the dashboard nor the caller knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One target of one panel."""

    panel: str
    ref: str
    expr: str
    legend: str
    instant: bool
    since: str
    """The panel's own time range (``1h``, ``now/d``), "" where it is the dashboard's."""


def panels(dashboard: Json) -> Iterator[Json]:
    """All but rows, those inside collapsed rows too."""
    for panel in dashboard.get("panels", []):
        if panel["type"] == "row":
            yield from panels(panel)
        else:
            yield panel


def defaults(dashboard: Json) -> dict[str, str]:
    """Template variable → its `all` value, as a query takes it."""
    return {
        variable["name"]: variable.get("allValue") or ".*"
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    }


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """``$name`` and ``${name}`` replaced; one that is not known is an error, or it would match nothing and look like no data."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in variables:
            raise UnknownVariableError(f"no value for ${name} in {text}")
        return variables[name]

    return _VARIABLE.sub(value, text)


def targets(dashboard: Json, variables: Mapping[str, str] | None = None) -> list[Query]:
    """Every target of every panel; ``variables`` win over the dashboard's own."""
    values = {**EVERYTHING, **defaults(dashboard), **(variables or {})}
    return [
        Query(
            panel=panel["title"],
            ref=target["refId"],
            expr=substitute(target["expr"], values),
            legend=target.get("legendFormat", ""),
            instant=bool(target.get("instant")),
            since=panel.get("timeFrom", ""),
        )
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def queries(dashboard: Json, variables: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """(panel title, expression) of every query."""
    return [(query.panel, query.expr) for query in targets(dashboard, variables)]
