"""Logs: one line an event, whatever the fields hold."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from agent import logs


@pytest.fixture(autouse=True)
def _restore_root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_feed_in_a_field_stays_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A process may call itself what it likes; it can't forge a second log line."""
    logs.configure("info", "text")
    logs.Log("test").info("process seen", name="evil\nlevel=error event=forged", pid=7)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "pid=7" in err
    assert 'event="process seen"' in err


def test_json_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With form json every line parses and keeps its fields' types."""
    logs.configure("info", "json")
    logs.Log("test").warning("ring full", dropped=3)
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["logger"], line["event"], line["dropped"]) == ("warning", "podtab.test", "ring full", 3)


def test_an_exception_is_named_but_its_message_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Messages of foreign exceptions can quote payload, so only the class is printed."""
    logs.configure("info", "text")
    try:
        raise ValueError("sk-secret")
    except ValueError:
        logging.getLogger("podtab.test").exception("failed")
    err = capsys.readouterr().err
    assert "exception=ValueError" in err
    assert "sk-secret" not in err


def test_below_the_level_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Level info hides debug."""
    logs.configure("info", "text")
    logs.Log("test").debug("noise")
    assert capsys.readouterr().err == ""
