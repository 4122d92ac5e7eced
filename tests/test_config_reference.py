"""The pages made from the configuration's code."""

from __future__ import annotations

from pathlib import Path

from agent import config_reference
from agent.config import Config

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"


def test_the_page_follows_the_code() -> None:
    """`make docs` would change nothing."""
    assert PAGE.read_text(encoding="utf-8") == config_reference.markdown()


def test_every_key_is_listed_once() -> None:
    """Leaves of nested sections too; and each section is one table."""
    paths = [key.path for key in config_reference.entries()]
    assert len(set(paths)) == len(paths)
    assert {"listen", "attribution.labels.team", "capture.ring_bytes"} <= set(paths)
    assert {path.partition(".")[0] for path in paths} == set(Config.__dataclass_fields__)
    headings = [line for line in config_reference.markdown().splitlines() if line.startswith("## ")]
    assert len(set(headings)) == len(headings)


def test_what_is_not_obvious_is_explained() -> None:
    """Every key has a sentence, but for the few whose name says it all."""
    silent = {key.path for key in config_reference.entries() if not key.meaning}
    assert silent <= {
        "metrics.max_models",
        "metrics.max_pods",
        "metrics.max_workloads",
        "logging.level",
        "logging.format",
    }
