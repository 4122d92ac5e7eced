"""The chart's README and what it is made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from charts import values_reference
from tests.charts.conftest import CHART

TEXT = (CHART / "values.yaml").read_text(encoding="utf-8")


def leaves(part: Any, path: str = "") -> Iterator[str]:
    """Paths of everything that is no section."""
    if isinstance(part, dict) and part:
        for name, below in part.items():
            yield from leaves(below, f"{path}.{name}".strip("."))
    else:
        yield path


def test_the_page_follows_the_values() -> None:
    """`make docs` would change nothing."""
    page = (CHART / "README.md").read_text(encoding="utf-8")
    assert values_reference.renew(page, TEXT) == page


def test_every_value_is_described_once() -> None:
    """Itself, or the section that it is an example of."""
    described = [value.path for value in values_reference.values(TEXT)]
    assert len(set(described)) == len(described)
    for path in leaves(yaml.safe_load(TEXT)):
        parts = path.split(".")
        assert any(".".join(parts[:length]) in described for length in range(1, len(parts) + 1)), path


def test_every_value_stands_in_a_section() -> None:
    """A table without a heading can't be linked to."""
    assert all(value.section for value in values_reference.values(TEXT))


def test_a_comment_belongs_to_the_key_below_it() -> None:
    """Several lines are one sentence; an empty line ends what was said."""
    text = "# @section S\n# -- One\n#    two.\na:\n  # -- Three.\n  b: 1\n\n# -- Lost.\n\nc: x\n"
    found = [(value.section, value.path, value.default, value.meaning) for value in values_reference.values(text)]
    assert found == [("S", "a", "b: 1", "One two."), ("S", "a.b", "1", "Three.")]
