"""
docs/configuration.md and the chart's schema of the configuration, made from ``agent/config.py``; ``make docs`` writes both.

Usage: ``python -m agent.config_reference > docs/configuration.md``, and with ``--schema FILE`` to renew the part of a
values.schema.json that describes the agent's configuration.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from agent import config
from agent.config import Config
from agent.config_reader import Range, Size, size_text

HEAD = """\
# Configuration

`podtab run --config FILE` reads one YAML file; the chart's `config:` holds the same keys. Every key has a default, unknown keys are refused, and
an error names the key. Options of the command line win over the file. This page is generated: `make docs`.
"""

# What the reader takes as a number of bytes besides a plain number.
SIZE_PATTERN = "^[0-9]+(KiB|MiB|GiB)?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    path: str
    default: str
    allowed: str
    meaning: str


def entries(cls: type = Config, prefix: str = "") -> Iterator[Key]:
    """Every leaf of the configuration, in the order of the file."""
    docs = _field_docs(cls)
    for name, hint in get_type_hints(cls, include_extras=True).items():
        default = _default(cls, name)
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            yield from entries(hint, f"{prefix}{name}.")
        else:
            yield Key(path=prefix + name, default=_shown(hint, default), allowed=_allowed(hint), meaning=docs[name])


def markdown() -> str:
    """The page for people: one table a section."""
    parts = [HEAD]
    section = None
    for key in entries():
        above = key.path.rpartition(".")[0]
        if above != section:
            section = above
            about = f"\n\n{_section_doc(section)}" if section else ""
            parts.append(
                f"\n## {section or 'Top level'}{about}\n\n| key | default | allowed | meaning |\n|---|---|---|---|\n"
            )
        parts.append(f"| `{key.path.rpartition('.')[2]}` | `{key.default}` | {key.allowed} | {key.meaning} |\n")
    return "".join(parts)


def schema(cls: type = Config) -> dict[str, Any]:
    """A JSON Schema that refuses what the reader refuses, but for what concerns several keys."""
    docs = _field_docs(cls)
    properties: dict[str, Any] = {}
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            properties[name] = schema(hint)
        else:
            properties[name] = _leaf_schema(hint) | ({"description": docs[name]} if docs[name] else {})
    about = {"description": inspect.cleandoc(cls.__doc__ or "")}
    return about | {"type": "object", "additionalProperties": False, "properties": properties}


def renew(text: str) -> str:
    """A values.schema.json with its ``config`` replaced by today's; ``listen`` belongs to the chart's ``port``."""
    whole = json.loads(text)
    part = schema()
    del part["properties"]["listen"], part["properties"]["node"]
    whole["properties"]["config"] = part
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _leaf_schema(hint: object) -> dict[str, Any]:
    base, bounds = _strip(hint)
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return {"enum": [member.value for member in base]}
    if isinstance(bounds, Size):
        return {"type": ["integer", "string"], "minimum": bounds.low, "maximum": bounds.high, "pattern": SIZE_PATTERN}
    if get_origin(base) is tuple:
        return {"type": "array", "items": {"type": "string"}}
    if get_origin(base) is Mapping:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    kind = {bool: "boolean", int: "integer", float: "number", str: "string"}[base]
    return {"type": kind} | ({"minimum": bounds.low, "maximum": bounds.high} if bounds else {})


def _allowed(hint: object) -> str:
    base, bounds = _strip(hint)
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in base)
    if isinstance(bounds, Size):
        power = ", a power of two" if bounds.power_of_two else ""
        return f"{size_text(bounds.low)} to {size_text(bounds.high)}{power}"
    if isinstance(bounds, Range):
        return f"{bounds.low:,} to {bounds.high:,}"
    if get_origin(base) is tuple:
        return "list of strings"
    if get_origin(base) is Mapping:
        return "mapping of strings"
    return {bool: "`true`, `false`", str: "string"}[base]


def _shown(hint: object, default: object) -> str:
    _, bounds = _strip(hint)
    if isinstance(bounds, Size) and isinstance(default, int):
        return size_text(default)
    if isinstance(default, enum.Enum):
        return str(default.value)
    if isinstance(default, tuple):
        return f"[{', '.join(default)}]"
    return json.dumps(dict(default) if isinstance(default, Mapping) else default)


def _strip(hint: object) -> tuple[Any, Range | Size | None]:
    if get_origin(hint) is Annotated:
        base, *extras = get_args(hint)
        return base, next((extra for extra in extras if isinstance(extra, Range | Size)), None)
    return hint, None


def _default(cls: type, name: str) -> object:
    return getattr(cls(), name)


def _section_doc(path: str) -> str:
    cls: Any = Config
    for name in path.split("."):
        cls = get_type_hints(cls)[name]
    return inspect.cleandoc(cls.__doc__ or "")


def _field_docs(cls: type) -> dict[str, str]:
    """Field docstrings, which Python drops: read from the source."""
    tree = ast.parse(inspect.getsource(config))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__)
    docs: dict[str, str] = {}
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = after.value if isinstance(after, ast.Expr) else None
            text = said.value if isinstance(said, ast.Constant) and isinstance(said.value, str) else ""
            docs[node.target.id] = " ".join(text.split())
    return docs


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--schema"]:
        path = Path(arguments[1])
        path.write_text(renew(path.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(markdown())


if __name__ == "__main__":
    main(sys.argv[1:])
