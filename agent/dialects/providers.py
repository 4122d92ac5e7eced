"""Which provider a request goes to: by host, from ``providers.toml`` and the user's own additions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from agent.model import RequestHead

UNKNOWN = "unknown"
# Hosts come from pods: what is remembered of them is bounded.
_MAX_REMEMBERED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suffix:
    ending: str
    provider: str


class Providers:
    """``provider_of`` is asked for every request, so answers are remembered by host."""

    def __init__(self, extra_hosts: Mapping[str, str] | None = None) -> None:
        self._hosts: dict[str, str] = {}
        self._suffixes: list[_Suffix] = []
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        for block in _table():
            name = str(block["name"])
            self._hosts.update(dict.fromkeys(block.get("hosts", ()), name))
            self._suffixes += [_Suffix(ending=ending, provider=name) for ending in block.get("suffixes", ())]
            self._patterns += [(re.compile(pattern), name) for pattern in block.get("patterns", ())]
        for host, name in (extra_hosts or {}).items():
            self._hosts[host.lower()] = name
        self._remembered: dict[str, str] = {}

    def provider_of(self, request: RequestHead) -> str:
        """The provider's name; ``unknown`` for a host that is none."""
        host = request.host
        found = self._remembered.get(host)
        if found is None:
            found = self._look_up(host)
            if len(self._remembered) < _MAX_REMEMBERED:
                self._remembered[host] = found
        return found

    def _look_up(self, host: str) -> str:
        exact = self._hosts.get(host)
        if exact is not None:
            return exact
        for suffix in self._suffixes:
            if host.endswith(suffix.ending):
                return suffix.provider
        return next((name for pattern, name in self._patterns if pattern.search(host)), UNKNOWN)


@cache
def _table() -> list[dict[str, list[str]]]:
    text = (resources.files("agent.dialects") / "providers.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text)["provider"])
