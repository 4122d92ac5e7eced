"""The checks as a table for people, or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.capture.selftest import SelfTest
from agent.config import Config
from agent.doctor.checks import Check, Grade, examine
from agent.doctor.facts import collect

_STYLES = {Grade.OK: "green", Grade.WARN: "yellow", Grade.FAIL: "bold red"}


def run(config: Config, *, as_json: bool = False, out: TextIO | None = None) -> int:
    """Look, judge, print; returns the command's exit code."""
    out = out or sys.stdout
    checks = examine(collect(config))
    if as_json:
        out.write(as_json_text(checks) + "\n")
    else:
        show(checks, out)
    return exit_code(checks)


def of_running_agent(config: Config, tried: tuple[SelfTest, ...]) -> str:
    """The JSON, with what the agent tried when it started: a second set of programs would double its memory."""
    return as_json_text(examine(collect(config, try_things=False, tried=tried)))


def exit_code(checks: Iterable[Check]) -> int:
    """1 when something that capture needs is missing; a warning is none."""
    return int(any(check.grade is Grade.FAIL for check in checks))


def as_json_text(checks: tuple[Check, ...]) -> str:
    """``{"ok": …, "checks": [{"name", "grade", "found", "meaning", "remedy"}]}``"""
    return orjson.dumps({"ok": exit_code(checks) == 0, "checks": checks}, option=orjson.OPT_INDENT_2).decode()


def show(checks: tuple[Check, ...], out: TextIO) -> None:
    """A table, then one sentence."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found, what it means, what to do", overflow="fold")
    for check in checks:
        said = Text(check.found)
        if check.meaning:
            said.append(f"\n{check.meaning}", style="dim" if check.grade is Grade.OK else "")
        if check.remedy:
            said.append(f"\n→ {check.remedy}", style="bold")
        table.add_row(check.name, Text(check.grade.value, style=_STYLES[check.grade]), said)
    console = Console(file=out, highlight=False)
    console.print(table)
    failed = [check.name for check in checks if check.grade is Grade.FAIL]
    warned = [check.name for check in checks if check.grade is Grade.WARN]
    if failed:
        console.print(f"podtab can't capture here: {', '.join(failed)}.")
    elif warned:
        console.print(f"podtab can capture here; look at {', '.join(warned)}.")
    else:
        console.print("podtab can capture here.")
