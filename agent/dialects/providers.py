"""Which provider a request goes to: by host, and where one host is two providers by path; ``providers.toml`` plus the user's own hosts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import cast

from agent.model import RequestHead

UNKNOWN = "unknown"
# Hosts come from pods: what is remembered of them is bounded.
_MAX_REMEMBERED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One block of the table; the keys are explained there."""

    name: str
    hosts: frozenset[str]
    suffixes: tuple[str, ...]
    pattern: re.Pattern[str] | None
    paths: tuple[str, ...]

    def fits(self, host: str) -> bool:
        return (
            host in self.hosts
            or (bool(self.suffixes) and host.endswith(self.suffixes))
            or (self.pattern is not None and self.pattern.fullmatch(host) is not None)
        )


class Providers:
    """``provider_of`` is asked for every request, so the rules that fit a host are remembered."""

    def __init__(self, extra_hosts: Mapping[str, str] | None = None) -> None:
        """``extra_hosts``: host → provider, before all of ours: the user's gateways and model servers."""
        self._extra = {host.lower(): name for host, name in (extra_hosts or {}).items()}
        self._remembered: dict[str, tuple[_Rule, ...]] = {}

    def provider_of(self, request: RequestHead) -> str:
        """The provider's name; ``unknown`` for a host that is none."""
        extra = self._extra.get(request.host)
        if extra is not None:
            return extra
        rules = self._fitting(request.host)
        return next((rule.name for rule in rules if not rule.paths or request.path.startswith(rule.paths)), UNKNOWN)

    def provider_at(self, host: str) -> str:
        """Of a host whatever is asked of it; ``unknown`` also where it serves other things than models under other paths."""
        extra = self._extra.get(host)
        return extra or next((rule.name for rule in self._fitting(host) if not rule.paths), UNKNOWN)

    def _fitting(self, host: str) -> tuple[_Rule, ...]:
        rules = self._remembered.get(host)
        if rules is None:
            rules = tuple(rule for rule in _rules() if rule.fits(host))
            if len(self._remembered) < _MAX_REMEMBERED:
                self._remembered[host] = rules
        return rules


@cache
def _rules() -> tuple[_Rule, ...]:
    text = (resources.files("agent.dialects") / "providers.toml").read_text(encoding="utf-8")
    return tuple(map(_rule, cast(list[Mapping[str, object]], tomllib.loads(text)["provider"])))


def _rule(block: Mapping[str, object]) -> _Rule:
    def texts(key: str) -> tuple[str, ...]:
        return tuple(map(str, cast(list[object], block.get(key, []))))

    pattern = block.get("pattern")
    return _Rule(
        name=str(block["name"]),
        hosts=frozenset(texts("hosts")),
        suffixes=texts("suffixes"),
        pattern=re.compile(str(pattern)) if pattern else None,
        paths=texts("paths"),
    )
