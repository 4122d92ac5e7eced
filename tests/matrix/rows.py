"""
The rows: which client of which TLS stack, and whether podtab is to read it.

To add one: a program below ``clients/`` that keeps the contract of ``clients/README.md``, and a table in ``rows.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
CLIENTS = FOLDER / "clients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A table of ``rows.toml``, whose head explains the keys."""

    name: str
    """Also its pod's."""
    stack: str
    client: str
    protocol: str = "HTTP/1.1"
    folder: str
    command: str
    needs: Mapping[str, str] = field(default_factory=dict)
    cannot: str = ""
    """"" where podtab reads it."""
    own_server: bool = False
    not_run: str = ""
    quick: bool = False


def rows(path: Path = FOLDER / "rows.toml") -> tuple[Row, ...]:
    with path.open("rb") as file:
        tables = tomllib.load(file)
    return tuple(Row(name=name, **table) for name, table in tables.items())
