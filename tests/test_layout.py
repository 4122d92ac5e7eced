"""The house rules that a reader relies on: tests mirror the tree, files stay small, every test says what it claims."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 400

# Modules without a test file of their own, each with the reason.  This list may only shrink.
NO_TEST_FILE: dict[str, str] = {
    "agent/demo/provider/__main__.py": "tests/demo/provider/test_server.py starts it",
    **{
        f"agent/demo/workloads/{name}.py": "a program of the demo's pods, with an environment of its own: tests/kernel/test_sdks.py"
        for name in ("anthropic_async", "anthropic_sync", "gemini_async", "gemini_sync", "openai_async", "openai_sync")
    },
}

# Files longer than that, each with the reason.  This list may only shrink.
LONG = {"agent/model.py": "the one vocabulary: most of its lines are field docstrings"}

SOURCES = sorted((ROOT / "agent").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def has_logic(path: Path) -> bool:
    """Whether a module has a function that does something; types and tables need no test file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = [part for part in node.body if not isinstance(part, ast.Pass) and not _is_constant(part)]
            if body:
                return True
    return False


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def mirror_of(path: Path) -> Path:
    """agent/x/y.py → tests/x/test_y.py; a package's own code is tested under the package's name."""
    parts = path.relative_to(ROOT / "agent").with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1] or ("init",)
    return ROOT.joinpath("tests", *parts[:-1], f"test_{parts[-1]}.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_has_its_test_file(path: Path) -> None:
    """A newcomer finds the tests of a module by its name."""
    name = str(path.relative_to(ROOT))
    mirror = mirror_of(path)
    inside = mirror.with_name(mirror.stem.removeprefix("test_")) / mirror.name
    there = mirror.exists() or inside.exists() or not has_logic(path)
    assert there or name in NO_TEST_FILE, f"{name} has no {mirror.relative_to(ROOT)}"
    assert not (there and name in NO_TEST_FILE), f"take {name} out of NO_TEST_FILE: it has its test file"


def test_the_exceptions_exist() -> None:
    """The list of exceptions names only files that are there."""
    assert all((ROOT / name).exists() for name in NO_TEST_FILE)


@pytest.mark.parametrize(
    "path",
    [*SOURCES, *TESTS, *sorted((ROOT / "bpf").glob("*.[ch]")), *sorted((ROOT / "scripts").iterdir())],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_file_is_read_in_one_sitting(path: Path) -> None:
    """No file is longer than 400 lines, but for the excepted, which are."""
    long = len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES
    assert long == (str(path.relative_to(ROOT)) in LONG)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_states_its_claim(path: Path) -> None:
    """A test's docstring says what is true when it passes."""
    silent = [
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []
