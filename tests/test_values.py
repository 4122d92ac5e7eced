"""How values are made: what mypy is told of them, which no running code shows, and what is compiled."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
WITH_VALUES = [file for file in sorted((ROOT / "agent").rglob("*.py")) if "\n@value(" in file.read_text()]


def test_mypy_refuses_to_change_a_value() -> None:
    """What stands for frozenness: ``value`` must stay a dataclass in mypy's eyes, ``replace`` and field types included."""
    changes = "from dataclasses import replace\nfrom agent.model import Peer\npeer = replace(Peer(address='', port=1), port=2)\npeer.port = 3\n"
    command = [sys.executable, "-m", "mypy", "--config-file=", "--strict", "-c", changes]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert told.stdout.splitlines()[:-1] == [
        '<string>:4: error: Property "port" defined in "Peer" is read-only  [misc]'
    ], told


@pytest.mark.parametrize("file", WITH_VALUES, ids=lambda file: file.stem)
def test_what_is_compiled_is_made_as_a_dataclass_is(file: Path) -> None:
    """The constructors that scripts/compile writes out take the same fields, with the same defaults, each value with a default of its own."""
    module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    with_constructors = runpy.run_path(str(ROOT / "scripts/compile"))["with_constructors"]
    written = ModuleType(module.__name__)
    source = with_constructors(file.read_text())
    assert with_constructors(source) == source, "a tree is compiled twice"
    exec(compile(source, "written", "exec"), vars(written))
    values = [
        one
        for one in vars(written).values()
        if isinstance(one, type) and dataclasses.is_dataclass(one) and one.__module__ == written.__name__
    ]
    assert values
    for cls in values:
        assert cls.__init__.__code__.co_filename == "written", cls  # type: ignore[misc]
        original = getattr(module, cls.__name__)
        ours, theirs = inspect.signature(cls).parameters, inspect.signature(original).parameters
        assert list(ours) == list(theirs), cls
        required = {name: name for name, parameter in ours.items() if parameter.default is parameter.empty}
        assert required.keys() == {name for name, one in theirs.items() if one.default is one.empty}, cls
        assert {parameter.kind for parameter in ours.values()} == {inspect.Parameter.KEYWORD_ONLY}, cls
        one, other = cls(**required), cls(**required)
        for field in dataclasses.fields(cls):
            value, fresh = getattr(one, field.name), field.default_factory is not dataclasses.MISSING
            assert repr(value) == repr(getattr(original(**required), field.name)), (cls, field.name)
            assert (getattr(other, field.name) is not value) == fresh, (cls, field.name)
